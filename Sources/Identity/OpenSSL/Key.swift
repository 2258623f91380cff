internal import COpenSSL

/// A public key, or a pair of keys.
final class Key: Sendable {
    // OpenSSL counts references atomically, and nobody changes a key once it is made.
    nonisolated(unsafe) let pointer: OpaquePointer

    enum Kind: Equatable {
        case rsa(bits: Int)
        case ec(Curve)
        case ed25519
        case other
    }

    /// The NIST curves of JSON Web Algorithms (RFC 7518).
    enum Curve: String, CaseIterable {
        case p256 = "P-256"
        case p384 = "P-384"
        case p521 = "P-521"

        /// OpenSSL's name.
        var group: String {
            switch self {
            case .p256: "prime256v1"
            case .p384: "secp384r1"
            case .p521: "secp521r1"
            }
        }

        /// Bytes of a coordinate, and of each half of a signature.
        var size: Int {
            switch self {
            case .p256: 32
            case .p384: 48
            case .p521: 66
            }
        }
    }

    /// Sizes in bits that are neither weak nor a way to keep us busy.
    static let allowedRSABits = 2048...8192

    /// Takes the key over.
    init?(adopting pointer: OpaquePointer?) {
        guard let pointer else { return nil }
        self.pointer = pointer
    }

    deinit { EVP_PKEY_free(pointer) }

    var kind: Kind {
        switch EVP_PKEY_get_base_id(pointer) {
        case EVP_PKEY_RSA: return .rsa(bits: Int(EVP_PKEY_get_bits(pointer)))
        case EVP_PKEY_ED25519: return .ed25519
        case EVP_PKEY_EC:
            var name = [CChar](repeating: 0, count: 64)
            guard EVP_PKEY_get_group_name(pointer, &name, name.count, nil) == 1 else { return .other }
            let group = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            return Curve.allCases.first { $0.group == group }.map(Kind.ec) ?? .other
        default: return .other
        }
    }

    /// Whether we sign certificates for it, or believe what it has signed.
    var isStrong: Bool {
        switch kind {
        case .rsa(let bits): Key.allowedRSABits.contains(bits)
        case .ec, .ed25519: true
        case .other: false
        }
    }

    /// Whether the public half is a valid one, such as a point on its curve.
    var isValid: Bool {
        OpenSSL.clean {
            guard let context = Owned(EVP_PKEY_CTX_new(pointer, nil), EVP_PKEY_CTX_free) else { return false }
            return EVP_PKEY_public_check(context.pointer) == 1
        }
    }

    static func makeEC(_ curve: Curve) -> Key? { OpenSSL.clean { Key(adopting: copenssl_make_ec_key(curve.group)) } }
    static func makeRSA(bits: Int) -> Key? { OpenSSL.clean { Key(adopting: copenssl_make_rsa_key(bits)) } }
    static func makeEd25519() -> Key? { OpenSSL.clean { Key(adopting: copenssl_make_ed25519_key()) } }
}

/// Private keys in files.
extension Key {
    /// A private key in DER, PKCS#8 without a password. Nil when it is none.
    static func privateKey(pkcs8: [UInt8]) -> Key? {
        OpenSSL.clean {
            let read = OpenSSL.decoded(pkcs8, PKCS8_PRIV_KEY_INFO_free) { d2i_PKCS8_PRIV_KEY_INFO(nil, $0, $1) }
            guard let information = read else { return nil }
            return Key(adopting: EVP_PKCS82PKEY(information.pointer))
        }
    }

    /// A private key in PEM: PKCS#8, or the older forms for EC and RSA, without a password. Nil when it is none.
    static func privateKey(pem: String) -> Key? {
        OpenSSL.clean {
            // Without the function OpenSSL would ask the terminal for the password of an encrypted key.
            Key(
                adopting: OpenSSL.reading(pem) { PEM_read_bio_PrivateKey($0, nil, { _, _, _, _ in -1 }, nil) })
        }
    }

    /// The private key in DER, PKCS#8.
    var pkcs8: [UInt8]? {
        OpenSSL.clean {
            guard let information = Owned(EVP_PKEY2PKCS8(pointer), PKCS8_PRIV_KEY_INFO_free) else { return nil }
            return OpenSSL.encoded { i2d_PKCS8_PRIV_KEY_INFO(information.pointer, $0) }
        }
    }
}
