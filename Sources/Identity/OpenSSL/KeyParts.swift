internal import COpenSSL

/// Public keys from the numbers in a JSON Web Key, and back.
extension Key {
    /// Nil when the numbers are no RSA key.
    static func rsa(modulus: [UInt8], exponent: [UInt8]) -> Key? {
        // A large exponent makes every verification slow.
        guard modulus.count <= allowedRSABits.upperBound / 8 + 1, exponent.count <= 8 else { return nil }
        return OpenSSL.clean {
            guard let n = number(modulus), let e = number(exponent),
                let builder = Owned(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free),
                OSSL_PARAM_BLD_push_BN(builder.pointer, OSSL_PKEY_PARAM_RSA_N, n.pointer) == 1,
                OSSL_PARAM_BLD_push_BN(builder.pointer, OSSL_PKEY_PARAM_RSA_E, e.pointer) == 1
            else { return nil }
            return publicKey("RSA", builder.pointer)
        }
    }

    /// Nil when the numbers are no point on the curve.
    static func ec(_ curve: Curve, x: [UInt8], y: [UInt8]) -> Key? {
        guard x.count == curve.size, y.count == curve.size else { return nil }
        return OpenSSL.clean {
            // The first byte says that both coordinates follow.
            let point = [0x04] + x + y
            guard let builder = Owned(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free),
                OSSL_PARAM_BLD_push_utf8_string(builder.pointer, OSSL_PKEY_PARAM_GROUP_NAME, curve.group, 0) == 1
            else { return nil }
            // The builder keeps the address until it is done.
            return point.withUnsafeBufferPointer { point in
                guard
                    OSSL_PARAM_BLD_push_octet_string(
                        builder.pointer, OSSL_PKEY_PARAM_PUB_KEY, point.baseAddress, point.count) == 1
                else { return nil }
                return publicKey("EC", builder.pointer)
            }
        }
    }

    /// A number of the key, big-endian, at least `size` bytes long.
    func number(_ name: String, size: Int = 0) -> [UInt8]? {
        OpenSSL.clean {
            var found: OpaquePointer?
            guard EVP_PKEY_get_bn_param(pointer, name, &found) == 1, let number = Owned(found, BN_free) else {
                return nil
            }
            let length = max(size, (Int(BN_num_bits(number.pointer)) + 7) / 8)
            var bytes = [UInt8](repeating: 0, count: length)
            return BN_bn2binpad(number.pointer, &bytes, Int32(length)) >= 0 ? bytes : nil
        }
    }

    private static func number(_ bytes: [UInt8]) -> Owned? {
        Owned(BN_bin2bn(bytes, Int32(bytes.count), nil), BN_free)
    }

    private static func publicKey(_ type: String, _ builder: OpaquePointer) -> Key? {
        guard let parameters = OSSL_PARAM_BLD_to_param(builder) else { return nil }
        defer { OSSL_PARAM_free(parameters) }
        var made: OpaquePointer?
        guard let context = Owned(EVP_PKEY_CTX_new_from_name(nil, type, nil), EVP_PKEY_CTX_free),
            EVP_PKEY_fromdata_init(context.pointer) == 1,
            EVP_PKEY_fromdata(context.pointer, &made, copenssl_public_key, parameters) == 1,
            let key = Key(adopting: made), key.isStrong, key.isValid
        else { return nil }
        return key
    }
}
