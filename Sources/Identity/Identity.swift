/// Who makes a call, as their certificate or token proved it.
package struct Identity: Sendable, Hashable, CustomStringConvertible {
    /// What policies speak of: `URI:spiffe://…`, `DNS:…`, `sub:…`. A certificate may prove several.
    package let names: [String]
    /// Unix time in seconds after which the proof is worth nothing, for calls that last; nil when TLS answers for it.
    package let validUntil: Int64?

    /// The holder of a certificate that TLS has verified, by its subject alternative names.
    package init(certificateURIs: [String], dnsNames: [String]) {
        names = certificateURIs.map { "URI:\($0)" } + dnsNames.map { "DNS:\($0)" }
        validUntil = nil
    }

    /// The subject of a verified token.
    package init(tokenSubject: String, validUntil: Int64) {
        names = ["sub:\(tokenSubject)"]
        self.validUntil = validUntil
    }

    package var description: String { names.isEmpty ? "a caller without a name" : names.joined(separator: ", ") }
}
