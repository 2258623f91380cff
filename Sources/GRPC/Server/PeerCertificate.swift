internal import CGRPC

/// Who the other side of a TLS connection has proved to be.
public struct PeerCertificate: Sendable, Equatable {
    /// The common name of the subject, if it has one.
    public var commonName: String?
    /// The alternative names with their kinds, for example `URI:spiffe://example.org/ns/a` or `DNS:node-1`.
    public var alternativeNames: [String]

    /// Describes a certificate.
    public init(commonName: String?, alternativeNames: [String]) {
        self.commonName = commonName
        self.alternativeNames = alternativeNames
    }

    /// The verified certificate of the call's other side, if there is one.
    init?(of call: OpaquePointer) {
        guard let context = grpc_call_auth_context(call) else { return nil }
        defer { grpc_auth_context_release(context) }
        guard grpc_auth_context_peer_is_authenticated(context) != 0 else { return nil }
        func values(_ name: String) -> [String] {
            var iterator = grpc_auth_context_find_properties_by_name(context, name)
            var values: [String] = []
            while let property = grpc_auth_property_iterator_next(&iterator)?.pointee {
                values.append(
                    String(
                        decoding: UnsafeRawBufferPointer(start: property.value, count: property.value_length),
                        as: UTF8.self))
            }
            return values
        }
        commonName = values("x509_common_name").first
        alternativeNames = [("peer_uri", "URI"), ("peer_dns", "DNS"), ("peer_ip", "IP"), ("peer_email", "EMAIL")]
            .flatMap { property, kind in values(property).map { "\(kind):\($0)" } }
    }
}
