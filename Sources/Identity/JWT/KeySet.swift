internal import Foundation

/// The keys of an issuer, from a JSON Web Key Set (RFC 7517).
struct KeySet: Sendable {
    struct Entry: Sendable {
        var id: String
        /// The only algorithm it may be used with, if it says so.
        var algorithm: String?
        var key: Key
    }

    var entries: [Entry]

    /// In bytes.
    static let maximumSize = 1 << 20
    static let maximumKeys = 200

    private struct Document: Decodable {
        var keys: [Candidate]
    }

    /// An entry of a kind that we do not know must not make the others useless.
    private struct Candidate: Decodable {
        var key: WebKey?

        init(from decoder: any Decoder) throws { key = try? WebKey(from: decoder) }
    }

    private struct WebKey: Decodable {
        var kty: String
        var kid: String?
        var use: String?
        var alg: String?
        var n: String?
        var e: String?
        var crv: String?
        var x: String?
        var y: String?

        var key: Key? {
            switch kty {
            case "RSA":
                guard let n = bytes(n), let e = bytes(e) else { return nil }
                return Key.rsa(modulus: n, exponent: e)
            case "EC":
                guard let curve = crv.flatMap(Key.Curve.init(rawValue:)), let x = bytes(x), let y = bytes(y) else {
                    return nil
                }
                return Key.ec(curve, x: x, y: y)
            default: return nil
            }
        }

        private func bytes(_ text: String?) -> [UInt8]? { text.flatMap { Base64URL.decode($0) } }
    }

    init(entries: [Entry]) { self.entries = entries }

    /// Takes the keys that can verify tokens and leaves the others out.
    /// - Throws: `Problem` when this is no key set, or no key of it is of use.
    init(json: [UInt8]) throws(Problem) {
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(json)) else {
            throw Problem("this is not a JSON Web Key Set: an object with an array `keys`")
        }
        guard document.keys.count <= KeySet.maximumKeys else {
            throw Problem("there are \(document.keys.count) keys, more than \(KeySet.maximumKeys)")
        }
        entries = document.keys.compactMap { candidate in
            guard let found = candidate.key, let id = found.kid, !id.isEmpty, found.use ?? "sig" == "sig",
                let key = found.key
            else { return nil }
            return Entry(id: id, algorithm: found.alg, key: key)
        }
        guard !entries.isEmpty else {
            throw Problem(
                "no key can verify tokens: it takes a kid, use sig or none, and RSA of 2048 to 8192 bits or EC on P-256, "
                    + "P-384 or P-521")
        }
    }

    func contains(_ id: String) -> Bool { entries.contains { $0.id == id } }

    /// Whether the key that the token names has signed it.
    func verifies(_ token: CompactToken) -> Bool {
        entries.contains { entry in
            entry.id == token.keyID && entry.algorithm ?? token.algorithm.rawValue == token.algorithm.rawValue
                && entry.key.verifies(token.signature, of: token.signed, by: token.algorithm)
        }
    }
}
