internal import COpenSSL

/// A certificate signing request (PKCS#10). Only its key counts: what it asks for beyond that is ignored.
struct SigningRequest: ~Copyable {
    private let request: Owned
    /// The key to certify.
    let key: Key

    /// In bytes.
    static let maximumSize = 16 << 10

    /// Nil when the bytes are anything but one request in DER.
    init?(der: [UInt8]) {
        guard der.count <= SigningRequest.maximumSize,
            let request = OpenSSL.decoded(der, X509_REQ_free, { d2i_X509_REQ(nil, $0, $1) }),
            let key = Key(adopting: X509_REQ_get_pubkey(request.pointer))
        else { return nil }
        self.key = key
        self.request = request
    }

    /// Whether the sender has the private half of the key.
    var isSignedByItsKey: Bool { X509_REQ_verify(request.pointer, key.pointer) == 1 }
}
