internal import COpenSSL
package import ServiceKit

/// Mints what a session shows to others to prove who it is. It does not check who asks: its caller has to.
package struct SessionMinter: Sendable {
    /// Seconds for which tokens and certificates are valid.
    package static let lifetime: Int64 = 15 * 60
    /// Seconds by which they seem older than they are, for those whose clocks are behind.
    package static let backdating: Int64 = 5 * 60
    /// The `iss` of session tokens.
    package static let issuer = "https://broker.agentic-substrate-session-id-broker.svc"

    static let maximumAudiences = 32
    /// In bytes.
    static let maximumAudienceLength = 1024

    private let jwtPool: ReloadingFile<JWTPool>?
    private let caPool: ReloadingFile<CAPool>?
    private let now: @Sendable () -> Int64
    private let log: Log

    /// - Parameters:
    ///   - jwtPoolFile, caPoolFile: read again when they change; what has no file cannot be minted.
    ///   - now: Unix time in seconds.
    /// - Throws: `IdentityFileError` when a file cannot be used.
    package init(
        jwtPoolFile: String?, caPoolFile: String?, now: @escaping @Sendable () -> Int64, log: Log
    ) throws(IdentityFileError) {
        jwtPool =
            if let jwtPoolFile {
                try ReloadingFile(jwtPoolFile, log: log) { bytes throws(Problem) in try JWTPool(json: bytes) }
            } else { nil }
        caPool =
            if let caPoolFile {
                try ReloadingFile(caPoolFile, log: log) { bytes throws(Problem) in try CAPool(json: bytes) }
            } else { nil }
        self.now = now
        self.log = log
    }

    /// A token with which the session proves its identity to the audience.
    /// - Throws: `IdentityError`: internal without an audience, as clients know it, and when no token can be made.
    package func mintJWT(for session: SessionName, audience: [String]) throws(IdentityError) -> String {
        guard !audience.isEmpty else { throw IdentityError(.internal, "internal server error: audience is required") }
        guard audience.count <= SessionMinter.maximumAudiences,
            audience.allSatisfy({ 1...SessionMinter.maximumAudienceLength ~= $0.utf8.count })
        else {
            throw IdentityError(
                .invalidArgument,
                "invalid audience: must be no more than \(SessionMinter.maximumAudiences), "
                    + "each of 1 to \(SessionMinter.maximumAudienceLength) bytes")
        }
        guard let pool = jwtPool?.current else { throw IdentityError(.internal, "Failed to load session JWT pool") }
        let time = now()
        let signer = pool.signer
        let header = JSON.object([("alg", .string(signer.algorithm.rawValue)), ("kid", .string(signer.id))])
        guard let random = OpenSSL.random(16) else { throw failed("the system has no random numbers", "token") }
        let claims = JSON.object([
            ("iss", .string(SessionMinter.issuer)), ("sub", .string(session.subject)),
            ("aud", .array(audience.map(JSON.string))),
            ("exp", .integer(time + SessionMinter.lifetime)), ("nbf", .integer(time - SessionMinter.backdating)),
            ("iat", .integer(time)), ("jti", .string(Base64URL.encode(random))),
            (
                "ate.dev",
                .object([
                    ("appID", .string(session.appID)), ("userID", .string(session.userID)),
                    ("sessionID", .string(session.sessionID)),
                ])
            ),
        ])
        let signed = Base64URL.encode(header.text().utf8) + "." + Base64URL.encode(claims.text().utf8)
        guard let signature = signer.key.signature(of: Array(signed.utf8), by: signer.algorithm) else {
            throw failed("authority \(signer.id) cannot sign", "token")
        }
        return signed + "." + Base64URL.encode(signature)
    }

    /// A certificate for the key in a certificate signing request (DER).
    /// - Returns: the chain in DER, the session's certificate first, without the root.
    /// - Throws: `IdentityError` with the texts that clients know.
    package func mintCertificate(
        for session: SessionName, signingRequest: [UInt8]
    ) throws(IdentityError) -> [[UInt8]] {
        guard let authority = caPool?.current.signer else {
            throw IdentityError(.internal, "Failed to load session CA")
        }
        return try OpenSSL.clean { () throws(IdentityError) in
            guard let request = SigningRequest(der: signingRequest) else {
                throw IdentityError(.internal, "Failed to parse CSR")
            }
            guard request.key.isStrong, request.key.isValid else {
                throw IdentityError(
                    .invalidArgument,
                    "invalid certificate_signing_request: the key must be RSA of 2048 to 8192 bits, "
                        + "EC on P-256, P-384 or P-521, or Ed25519")
            }
            guard request.isSignedByItsKey else { throw IdentityError(.internal, "Failed to verify CSR signature") }
            let time = now()
            guard authority.certificate.isValid(at: time) else {
                throw failed("the CA that signs is not valid now; make a new pool", "certificate")
            }
            guard let leaf = certificate(for: session, request.key, by: authority, at: time) else {
                throw failed("OpenSSL refused", "certificate")
            }
            return [leaf] + authority.intermediates
        }
    }

    private func certificate(
        for session: SessionName, _ key: Key, by authority: CAPool.Authority, at time: Int64
    ) -> [UInt8]? {
        let issuer = authority.certificate
        guard
            let draft = CertificateDraft(
                for: key, from: time - SessionMinter.backdating, to: time + SessionMinter.lifetime),
            draft.add(NID_basic_constraints, "critical,CA:FALSE", issuer: issuer),
            draft.add(NID_key_usage, "critical,digitalSignature", issuer: issuer),
            draft.add(NID_ext_key_usage, "clientAuth", issuer: issuer),
            draft.setURI(session.uri)
        else { return nil }
        if issuer.hasKeyIdentifier, !draft.add(NID_authority_key_identifier, "keyid", issuer: issuer) { return nil }
        return draft.signed(by: authority.key, issuer: issuer)
    }

    /// The caller hears that it failed, the log why.
    private func failed(_ reason: String, _ what: String) -> IdentityError {
        log.error("cannot mint a session \(what)", ["problem": .string(reason)])
        return IdentityError(.internal, "Failed to sign \(what)")
    }
}
