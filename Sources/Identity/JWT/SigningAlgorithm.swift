internal import COpenSSL

/// The algorithms that we believe, of those in RFC 7518. `none` and the ones with a shared secret are not among them.
enum SigningAlgorithm: String, CaseIterable, Sendable {
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"

    /// The curve that the key has to be on; nil for RSA.
    var curve: Key.Curve? {
        switch self {
        case .rs256, .rs384, .rs512: nil
        case .es256: .p256
        case .es384: .p384
        case .es512: .p521
        }
    }

    /// Static in OpenSSL, never freed.
    var digest: OpaquePointer? {
        switch self {
        case .rs256, .es256: EVP_sha256()
        case .rs384, .es384: EVP_sha384()
        case .rs512, .es512: EVP_sha512()
        }
    }

    /// Whether keys of this kind sign with it.
    func fits(_ kind: Key.Kind) -> Bool {
        switch kind {
        case .rsa(let bits): curve == nil && Key.allowedRSABits.contains(bits)
        case .ec(let found): curve == found
        case .ed25519, .other: false
        }
    }
}
