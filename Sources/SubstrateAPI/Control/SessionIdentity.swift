package struct MintJWTRequest: Sendable, Equatable {
    package var audience: [String]
    package var appID: String
    package var userID: String
    package var sessionID: String

    package init(audience: [String], appID: String, userID: String, sessionID: String) {
        self.audience = audience
        self.appID = appID
        self.userID = userID
        self.sessionID = sessionID
    }
}

package struct MintJWTResponse: Sendable, Equatable {
    package var token: String

    package init(token: String) { self.token = token }
}

package struct MintCertRequest: Sendable, Equatable {
    package var appID: String
    package var userID: String
    package var sessionID: String
    /// PKCS #10 in DER.
    package var signingRequest: [UInt8]

    package init(appID: String, userID: String, sessionID: String, signingRequest: [UInt8]) {
        self.appID = appID
        self.userID = userID
        self.sessionID = sessionID
        self.signingRequest = signingRequest
    }
}

package struct MintCertResponse: Sendable, Equatable {
    /// The chain in DER, the session's certificate first.
    package var certificates: [[UInt8]]

    package init(certificates: [[UInt8]]) { self.certificates = certificates }
}
