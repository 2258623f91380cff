internal import COpenSSL

/// Public keys from the numbers in a JSON Web Key, and back.
extension Key {
    /// Nil when the numbers are no RSA key.
    static func rsa(modulus: [UInt8], exponent: [UInt8]) -> Key? {
        // A large exponent makes every verification slow.
        guard modulus.count <= allowedRSABits.upperBound / 8 + 1, exponent.count <= 8 else { return nil }
        return OpenSSL.clean {
            guard let n = number(modulus), let e = number(exponent) else { return nil }
            return checked(copenssl_rsa_public_key(n.pointer, e.pointer))
        }
    }

    /// Nil when the numbers are no point on the curve.
    static func ec(_ curve: Curve, x: [UInt8], y: [UInt8]) -> Key? {
        guard x.count == curve.size, y.count == curve.size else { return nil }
        return OpenSSL.clean {
            // The first byte says that both coordinates follow.
            let point = [0x04] + x + y
            return checked(copenssl_ec_public_key(curve.group, point, point.count))
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

    private static func checked(_ made: OpaquePointer?) -> Key? {
        guard let key = Key(adopting: made), key.isStrong, key.isValid else { return nil }
        return key
    }
}
