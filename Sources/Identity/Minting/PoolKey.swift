internal import Foundation

/// A private key as pool files have it: PKCS#8 in base64, or else PEM.
enum PoolKey {
    /// - Throws: `Problem`, which never quotes the key.
    static func read(pkcs8: Data?, pem: String?) throws(Problem) -> Key {
        let key: Key?
        if let pkcs8, !pkcs8.isEmpty {
            key = Key.privateKey(pkcs8: Array(pkcs8))
        } else if let pem, !pem.isEmpty {
            key = Key.privateKey(pem: pem)
        } else {
            throw Problem("it has neither SigningKeyPKCS8 nor SigningKeyPEM")
        }
        guard let key else { throw Problem("its signing key is not a private key without a password") }
        guard key.isStrong else {
            throw Problem("its signing key is not RSA of 2048 to 8192 bits, EC on P-256, P-384 or P-521, or Ed25519")
        }
        return key
    }
}

/// What both kinds of pool files have in common.
enum PoolFile {
    static func decode<Document: Decodable>(_ json: [UInt8], _ shape: String) throws(Problem) -> Document {
        do {
            return try JSONDecoder().decode(Document.self, from: Data(json))
        } catch {
            // The decoder's own words may quote what it has read.
            throw Problem("this is not \(shape)")
        }
    }

    static func checkNames(_ ids: [String], of kind: String) throws(Problem) {
        guard !ids.isEmpty else { throw Problem("there is no \(kind) in it") }
        guard !ids.contains("") else { throw Problem("every \(kind) needs an ID") }
        guard Set(ids).count == ids.count else { throw Problem("every \(kind) needs an ID of its own") }
    }
}
