internal import COpenSSL

/// A certificate that is complete.
final class Certificate: Sendable {
    // OpenSSL guards what it caches in a certificate, and nobody changes one once it is made.
    nonisolated(unsafe) let pointer: OpaquePointer

    private init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { X509_free(pointer) }

    /// Nil when the bytes are anything but one certificate.
    static func read(der: [UInt8]) -> Certificate? {
        OpenSSL.clean {
            guard let read = OpenSSL.decoded(der, X509_free, { d2i_X509(nil, $0, $1) }),
                X509_up_ref(read.pointer) == 1
            else { return nil }
            return Certificate(read.pointer)
        }
    }

    /// The first certificate in the text; nil when there is none.
    static func read(pem: String) -> Certificate? {
        OpenSSL.clean {
            OpenSSL.reading(pem) { PEM_read_bio_X509($0, nil, { _, _, _, _ in -1 }, nil) }.map(Certificate.init)
        }
    }

    var der: [UInt8]? { OpenSSL.encoded { i2d_X509(pointer, $0) } }

    /// Whether it may certify others.
    var isAuthority: Bool { OpenSSL.clean { X509_check_ca(pointer) == 1 } }

    var hasKeyIdentifier: Bool { OpenSSL.clean { X509_get0_subject_key_id(pointer) != nil } }

    /// Whether it is for this key.
    func certifies(_ key: Key) -> Bool { OpenSSL.clean { X509_check_private_key(pointer, key.pointer) == 1 } }

    /// Whether it is valid at a Unix time in seconds.
    func isValid(at time: Int64) -> Bool {
        var time = Int(time)
        return X509_cmp_time(X509_get0_notBefore(pointer), &time) < 0
            && X509_cmp_time(X509_get0_notAfter(pointer), &time) > 0
    }
}

/// A certificate in the making.
struct CertificateDraft: ~Copyable {
    private let certificate: Owned

    /// A certificate of version 3 for the public half of a key, with a random serial number. Times are Unix times in
    /// seconds. Nil when OpenSSL refuses.
    init?(for key: Key, from notBefore: Int64, to notAfter: Int64) {
        guard let certificate = Owned(X509_new(), X509_free),
            // A serial number is positive and has at most 20 bytes.
            var serial = OpenSSL.random(20)
        else { return nil }
        serial[0] = serial[0] & 0x7f | 0x40
        guard let number = Owned(BN_bin2bn(serial, Int32(serial.count), nil), BN_free),
            BN_to_ASN1_INTEGER(number.pointer, X509_get_serialNumber(certificate.pointer)) != nil,
            X509_set_version(certificate.pointer, 2) == 1,
            ASN1_TIME_set(X509_getm_notBefore(certificate.pointer), Int(notBefore)) != nil,
            ASN1_TIME_set(X509_getm_notAfter(certificate.pointer), Int(notAfter)) != nil,
            X509_set_pubkey(certificate.pointer, key.pointer) == 1
        else { return nil }
        self.certificate = certificate
    }

    func setCommonName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return X509_NAME_add_entry_by_NID(
            X509_get_subject_name(certificate.pointer), NID_commonName, MBSTRING_UTF8, bytes, Int32(bytes.count), -1, 0)
            == 1
    }

    /// Adds a URI as the only alternative name; critical, as it has to be when there is no subject.
    func setURI(_ uri: String) -> Bool {
        let length = Int32(uri.utf8.count)
        return uri.withCString { copenssl_add_uri_name(certificate.pointer, $0, length, 1) } == 1
    }

    /// Adds an extension in OpenSSL's notation; `issuer` is nil for a certificate that signs itself.
    func add(_ identifier: Int32, _ value: String, issuer: Certificate?) -> Bool {
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer?.pointer ?? certificate.pointer, certificate.pointer, nil, nil, 0)
        guard let made = Owned(X509V3_EXT_conf_nid(nil, &context, identifier, value), X509_EXTENSION_free) else {
            return false
        }
        return X509_add_ext(certificate.pointer, made.pointer, -1) == 1
    }

    /// Names the issuer, signs, and returns the certificate in DER; nil when OpenSSL refuses.
    /// - Parameter issuer: nil for a certificate that signs itself.
    func signed(by key: Key, issuer: Certificate?) -> [UInt8]? {
        let issuerName = X509_get_subject_name(issuer?.pointer ?? certificate.pointer)
        // Ed25519 has its own hash.
        let digest = key.kind == .ed25519 ? nil : EVP_sha256()
        guard X509_set_issuer_name(certificate.pointer, issuerName) == 1,
            X509_sign(certificate.pointer, key.pointer, digest) > 0
        else { return nil }
        return OpenSSL.encoded { i2d_X509(certificate.pointer, $0) }
    }
}
