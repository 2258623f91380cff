internal import COpenSSL
internal import Foundation
internal import ServiceKit

/// The keys that sign session tokens: `{"Authorities": [{"ID", "Algorithm", "SigningKeyPKCS8", "SigningKeyPEM"}]}`.
/// The first one signs; the others are for those who verify, until what they have signed has expired.
package struct JWTPool: Sendable {
    struct Authority: Sendable {
        var id: String
        var algorithm: SigningAlgorithm
        var key: Key
    }

    let signer: Authority
    let authorities: [Authority]

    private struct Document: Decodable {
        struct Entry: Decodable {
            var id: String
            var algorithm: String
            var pkcs8: Data?
            var pem: String?

            enum CodingKeys: String, CodingKey {
                case id = "ID"
                case algorithm = "Algorithm"
                case pkcs8 = "SigningKeyPKCS8"
                case pem = "SigningKeyPEM"
            }
        }

        var authorities: [Entry]

        enum CodingKeys: String, CodingKey { case authorities = "Authorities" }
    }

    /// - Throws: `Problem`, which never quotes a key.
    init(json: [UInt8]) throws(Problem) {
        let document: Document = try PoolFile.decode(
            json, "an object with Authorities, each with ID, Algorithm, and SigningKeyPKCS8 or SigningKeyPEM")
        try PoolFile.checkNames(document.authorities.map(\.id), of: "authority")
        var authorities: [Authority] = []
        for entry in document.authorities {
            do throws(Problem) {
                authorities.append(try JWTPool.authority(entry))
            } catch {
                throw Problem("authority \(entry.id): \(error)")
            }
        }
        signer = authorities[0]
        self.authorities = authorities
    }

    private static func authority(_ entry: Document.Entry) throws(Problem) -> Authority {
        guard let algorithm = SigningAlgorithm(rawValue: entry.algorithm) else {
            throw Problem("its Algorithm is not one of \(SigningAlgorithm.allCases.map(\.rawValue))")
        }
        let key = try PoolKey.read(pkcs8: entry.pkcs8, pem: entry.pem)
        guard algorithm.fits(key.kind) else { throw Problem("its signing key is not one for \(algorithm.rawValue)") }
        return Authority(id: entry.id, algorithm: algorithm, key: key)
    }

    /// Writes a new pool with one new authority, for ES256.
    /// - Parameter replaces: whether the file may exist.
    /// - Throws: `IdentityFileError` when the file cannot be written, or exists.
    package static func create(
        path: String, authorityID: String, replaces: Bool = false
    ) throws(IdentityFileError) {
        guard let pkcs8 = Key.makeEC(.p256)?.pkcs8 else { throw IdentityFileError(path, "OpenSSL cannot make a key") }
        let authority = JSON.object([
            ("ID", .string(authorityID)), ("Algorithm", .string(SigningAlgorithm.es256.rawValue)),
            ("SigningKeyPKCS8", .string(Data(pkcs8).base64EncodedString())), ("SigningKeyPEM", ""),
        ])
        let pool = JSON.object([("Authorities", .array([authority]))]).text(indentation: 2) + "\n"
        try replaces ? PrivateFile.replace(path, Array(pool.utf8)) : PrivateFile.create(path, Array(pool.utf8))
    }

    /// The public keys of a pool file as a JSON Web Key Set, for those who verify session tokens.
    /// - Throws: `IdentityFileError` when the file is not a pool.
    package static func publicKeys(path: String) throws(IdentityFileError) -> String {
        do throws(Problem) {
            let pool = try JWTPool(json: try FileStamp.read(path).0)
            return try KeySet.json(pool.authorities.map { ($0.id, $0.algorithm, $0.key) })
        } catch {
            throw IdentityFileError(path, error.description)
        }
    }
}
