package import ServiceKit

/// Verifies the bearer tokens of calls: JSON Web Tokens of one issuer, for one audience.
package final class TokenVerifier: Sendable {
    /// Where the issuer's keys are found.
    package enum KeyLocation: Sendable {
        /// A JSON Web Key Set in a file; read again when it changes.
        case file(String)
        /// The issuer's discovery document, `<issuer>/.well-known/openid-configuration`, over https, or http on loopback.
        /// With a file of authorities (PEM), only those are trusted to certify the server.
        case issuer(authorities: String?)
    }

    private let issuer: String
    private let audience: String
    private let keys: any TokenKeys
    private let now: @Sendable () -> Int64

    /// Fetches nothing yet from an issuer.
    /// - Parameters:
    ///   - issuer: what `iss` has to be.
    ///   - audience: what has to be among `aud`.
    ///   - now: Unix time in seconds.
    /// - Throws: `IdentityFileError` when the file of keys cannot be used, or when the issuer is no URL to ask.
    package init(
        issuer: String, audience: String, keys: KeyLocation, now: @escaping @Sendable () -> Int64, log: Log
    ) throws(IdentityFileError) {
        self.issuer = issuer
        self.audience = audience
        self.now = now
        switch keys {
        case .file(let path):
            self.keys = KeyFile(
                file: try ReloadingFile(path, log: log) { bytes throws(Problem) in try KeySet(json: bytes) })
        case .issuer(let authorities):
            do {
                _ = try IssuerDocuments.transport(to: issuer, authorities: authorities)
            } catch {
                throw IdentityFileError("issuer of tokens", error.description)
            }
            let documents = IssuerDocuments(issuer: issuer, authorities: authorities)
            self.keys = IssuerKeys(issuer: issuer, now: now, log: log) { () async throws(Problem) in
                try await documents.fetchKeys()
            }
        }
    }

    /// For tests, which bring their own source of keys.
    init(issuer: String, audience: String, keys: any TokenKeys, now: @escaping @Sendable () -> Int64) {
        self.issuer = issuer
        self.audience = audience
        self.keys = keys
        self.now = now
    }

    /// Whose token came with a call.
    /// - Parameter authorizationHeader: the first value of the call's `authorization` metadata.
    /// - Throws: `IdentityError`, unauthenticated, which never quotes the token.
    package func verify(authorizationHeader: String?) async throws(IdentityError) -> Identity {
        let prefix = "Bearer "
        guard let authorizationHeader, authorizationHeader.hasPrefix(prefix) else { throw .missingToken }
        do throws(Problem) {
            return try await verify(authorizationHeader.dropFirst(prefix.count))
        } catch {
            throw .invalidToken(error.description)
        }
    }

    private func verify(_ text: Substring) async throws(Problem) -> Identity {
        let token = try CompactToken(text)
        // Before the signature, because a foreign token is no reason to ask the issuer for keys.
        let identity = try token.claims.identity(issuer: issuer, audience: audience, now: now())
        let keys = try await keys.keys(forID: token.keyID)
        guard keys.contains(token.keyID) else { throw Problem("its kid is not one of the issuer's keys") }
        guard keys.verifies(token) else { throw Problem("its signature is wrong") }
        return identity
    }

    /// Fetches or reads the keys, so that a wrong configuration is found at the start.
    /// - Throws: `IdentityError`, internal, when there are none; the log has the reason.
    package func checkKeys() async throws(IdentityError) {
        do {
            _ = try await keys.keys(forID: "")
        } catch {
            throw IdentityError(.internal, "there are no keys to verify tokens with; the log has the reason")
        }
    }
}
