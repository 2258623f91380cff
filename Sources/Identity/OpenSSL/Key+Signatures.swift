internal import COpenSSL

/// Signatures as JSON Web Signatures have them: PKCS#1 v1.5 for RSA, and for EC both numbers side by side, each as long as
/// a coordinate.
extension Key {
    /// Whether the private half of this key made the signature. The key has to fit the algorithm.
    func verifies(_ signature: [UInt8], of message: [UInt8], by algorithm: SigningAlgorithm) -> Bool {
        guard algorithm.fits(kind) else { return false }
        return OpenSSL.clean {
            var encoded = signature
            if let curve = algorithm.curve {
                guard let der = Key.encodedSignature(signature, curve) else { return false }
                encoded = der
            }
            guard let context = Owned(EVP_MD_CTX_new(), EVP_MD_CTX_free),
                EVP_DigestVerifyInit(context.pointer, nil, algorithm.digest, nil, pointer) == 1
            else { return false }
            return EVP_DigestVerify(context.pointer, encoded, encoded.count, message, message.count) == 1
        }
    }

    /// Nil when this is no private key, or it does not fit the algorithm.
    func signature(of message: [UInt8], by algorithm: SigningAlgorithm) -> [UInt8]? {
        guard algorithm.fits(kind) else { return nil }
        return OpenSSL.clean {
            guard let context = Owned(EVP_MD_CTX_new(), EVP_MD_CTX_free),
                EVP_DigestSignInit(context.pointer, nil, algorithm.digest, nil, pointer) == 1
            else { return nil }
            var length = 0
            guard EVP_DigestSign(context.pointer, nil, &length, message, message.count) == 1 else { return nil }
            var signature = [UInt8](repeating: 0, count: length)
            guard EVP_DigestSign(context.pointer, &signature, &length, message, message.count) == 1 else { return nil }
            signature.removeLast(signature.count - length)
            guard let curve = algorithm.curve else { return signature }
            return Key.rawSignature(signature, curve)
        }
    }

    private static func encodedSignature(_ raw: [UInt8], _ curve: Curve) -> [UInt8]? {
        guard raw.count == 2 * curve.size, let signature = Owned(ECDSA_SIG_new(), ECDSA_SIG_free) else { return nil }
        let r = BN_bin2bn(Array(raw.prefix(curve.size)), Int32(curve.size), nil)
        let s = BN_bin2bn(Array(raw.suffix(curve.size)), Int32(curve.size), nil)
        // It takes both numbers over, but only when it succeeds.
        guard ECDSA_SIG_set0(signature.pointer, r, s) == 1 else {
            BN_free(r)
            BN_free(s)
            return nil
        }
        return OpenSSL.encoded { i2d_ECDSA_SIG(signature.pointer, $0) }
    }

    private static func rawSignature(_ der: [UInt8], _ curve: Curve) -> [UInt8]? {
        let read = OpenSSL.decoded(der, ECDSA_SIG_free) { d2i_ECDSA_SIG(nil, $0, $1) }
        guard let signature = read else { return nil }
        let size = Int32(curve.size)
        var r = [UInt8](repeating: 0, count: curve.size)
        var s = r
        guard BN_bn2binpad(ECDSA_SIG_get0_r(signature.pointer), &r, size) == size,
            BN_bn2binpad(ECDSA_SIG_get0_s(signature.pointer), &s, size) == size
        else { return nil }
        return r + s
    }
}
