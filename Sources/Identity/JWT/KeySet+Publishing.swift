internal import COpenSSL
internal import ServiceKit

extension KeySet {
    /// The public halves of keys as a JSON Web Key Set.
    /// - Throws: `Problem` for a key that does not fit its algorithm.
    static func json(_ keys: [(id: String, algorithm: SigningAlgorithm, key: Key)]) throws(Problem) -> String {
        var entries: [JSON] = []
        for (id, algorithm, key) in keys {
            guard algorithm.fits(key.kind), let parts = parts(of: key, algorithm.curve) else {
                throw Problem("key \(id) is not one for \(algorithm.rawValue)")
            }
            entries.append(
                .object([("kid", .string(id)), ("use", "sig"), ("alg", .string(algorithm.rawValue))] + parts))
        }
        return JSON.object([("keys", .array(entries))]).text(indentation: 2) + "\n"
    }

    private static func parts(of key: Key, _ curve: Key.Curve?) -> [(String, JSON)]? {
        func text(_ bytes: [UInt8]) -> JSON { .string(Base64URL.encode(bytes)) }
        if let curve {
            guard let x = key.number(OSSL_PKEY_PARAM_EC_PUB_X, size: curve.size),
                let y = key.number(OSSL_PKEY_PARAM_EC_PUB_Y, size: curve.size)
            else { return nil }
            return [("kty", "EC"), ("crv", .string(curve.rawValue)), ("x", text(x)), ("y", text(y))]
        }
        guard let n = key.number(OSSL_PKEY_PARAM_RSA_N), let e = key.number(OSSL_PKEY_PARAM_RSA_E) else { return nil }
        return [("kty", "RSA"), ("n", text(n)), ("e", text(e))]
    }
}
