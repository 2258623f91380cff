internal import COpenSSL
internal import Foundation
internal import ServiceKit

/// The authorities that sign session certificates: `{"CAs": [{"ID", "SigningKeyPKCS8", "SigningKeyPEM",
/// "RootCertificateDER", "RootCertificatePEM", "IntermediateCertificatesDER"}]}`. The first one signs.
package struct CAPool: Sendable {
    struct Authority: Sendable {
        var key: Key
        /// The certificate for the key: an intermediate, or the root itself.
        var certificate: Certificate
        /// In DER, from the leaf's issuer on; without the root, which those who verify have.
        var intermediates: [[UInt8]]
    }

    let signer: Authority

    /// Days for which a new authority is valid.
    static let lifetimeDays: Int64 = 365

    private struct Document: Decodable {
        struct Entry: Decodable {
            var id: String
            var pkcs8: Data?
            var pem: String?
            var rootDER: Data?
            var rootPEM: String?
            var intermediates: [Data]?

            enum CodingKeys: String, CodingKey {
                case id = "ID"
                case pkcs8 = "SigningKeyPKCS8"
                case pem = "SigningKeyPEM"
                case rootDER = "RootCertificateDER"
                case rootPEM = "RootCertificatePEM"
                case intermediates = "IntermediateCertificatesDER"
            }
        }

        var authorities: [Entry]

        enum CodingKeys: String, CodingKey { case authorities = "CAs" }
    }

    /// - Throws: `Problem`, which never quotes a key.
    init(json: [UInt8]) throws(Problem) {
        let document: Document = try PoolFile.decode(
            json, "an object with CAs, each with ID, SigningKeyPKCS8 or SigningKeyPEM, and RootCertificateDER or …PEM")
        try PoolFile.checkNames(document.authorities.map(\.id), of: "CA")
        var authorities: [Authority] = []
        for entry in document.authorities {
            do throws(Problem) {
                authorities.append(try CAPool.authority(entry))
            } catch {
                throw Problem("CA \(entry.id): \(error)")
            }
        }
        signer = authorities[0]
    }

    private static func authority(_ entry: Document.Entry) throws(Problem) -> Authority {
        let key = try PoolKey.read(pkcs8: entry.pkcs8, pem: entry.pem)
        let der = entry.rootDER.flatMap { $0.isEmpty ? nil : Array($0) }
        let read = der.map(Certificate.read(der:)) ?? entry.rootPEM.flatMap(Certificate.read(pem:))
        guard let root = read else { throw Problem("its root is not a certificate") }
        let intermediates = (entry.intermediates ?? []).map(Array.init)
        var certificates: [Certificate] = []
        for bytes in intermediates {
            guard let certificate = Certificate.read(der: bytes) else {
                throw Problem("one of its intermediates is not a certificate")
            }
            certificates.append(certificate)
        }
        guard let certificate = (certificates + [root]).first(where: { $0.certifies(key) }) else {
            throw Problem("none of its certificates is for its signing key")
        }
        guard certificate.isAuthority else { throw Problem("its certificate may not sign others") }
        return Authority(key: key, certificate: certificate, intermediates: intermediates)
    }

    /// Writes a new pool with one new authority: an Ed25519 key, and a root certificate that is valid for a year.
    /// - Parameters:
    ///   - now: Unix time in seconds.
    ///   - replaces: whether the file may exist.
    /// - Throws: `IdentityFileError` when the file cannot be written, or exists.
    package static func create(
        path: String, authorityID: String, now: Int64, replaces: Bool = false
    ) throws(IdentityFileError) {
        guard let key = Key.makeEd25519(), let pkcs8 = key.pkcs8,
            let root = rootCertificate(key, name: authorityID, now: now)
        else { throw IdentityFileError(path, "OpenSSL cannot make a key and a certificate named \(authorityID)") }
        let authority = JSON.object([
            ("ID", .string(authorityID)), ("SigningKeyPKCS8", .string(Data(pkcs8).base64EncodedString())),
            ("SigningKeyPEM", ""), ("RootCertificateDER", .string(Data(root).base64EncodedString())),
            ("RootCertificatePEM", ""), ("IntermediateCertificatesDER", []),
        ])
        let pool = JSON.object([("CAs", .array([authority]))]).text(indentation: 2) + "\n"
        try replaces ? PrivateFile.replace(path, Array(pool.utf8)) : PrivateFile.create(path, Array(pool.utf8))
    }

    private static func rootCertificate(_ key: Key, name: String, now: Int64) -> [UInt8]? {
        OpenSSL.clean {
            guard
                let draft = CertificateDraft(
                    for: key, from: now - SessionMinter.backdating, to: now + lifetimeDays * 86_400),
                draft.setCommonName("substrate session CA \(name)"),
                draft.add(NID_basic_constraints, "critical,CA:TRUE", issuer: nil),
                draft.add(NID_key_usage, "critical,digitalSignature,keyCertSign", issuer: nil),
                draft.add(NID_subject_key_identifier, "hash", issuer: nil)
            else { return nil }
            return draft.signed(by: key, issuer: nil)
        }
    }

    /// The roots of a pool file in PEM, for those who verify session certificates.
    /// - Throws: `IdentityFileError` when the file is not a pool.
    package static func roots(path: String) throws(IdentityFileError) -> String {
        do throws(Problem) {
            let bytes = try FileStamp.read(path).0
            _ = try CAPool(json: bytes)
            let document: Document = try PoolFile.decode(bytes, "a pool")
            return document.authorities.map { entry in
                guard let der = entry.rootDER, !der.isEmpty else { return entry.rootPEM ?? "" }
                let text = der.base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
                return "-----BEGIN CERTIFICATE-----\n\(text)\n-----END CERTIFICATE-----\n"
            }.joined()
        } catch {
            throw IdentityFileError(path, error.description)
        }
    }
}
