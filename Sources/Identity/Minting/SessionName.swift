/// Which session an identity is minted for.
package struct SessionName: Sendable, Equatable {
    package let appID: String
    package let userID: String
    package let sessionID: String

    /// In bytes, of each part.
    static let maximumLength = 256

    /// - Throws: `IdentityError`, invalid argument, for an empty part, or one that could be taken for something else where
    ///   the parts are put together.
    package init(appID: String, userID: String, sessionID: String) throws(IdentityError) {
        guard !appID.isEmpty, !userID.isEmpty, !sessionID.isEmpty else {
            throw IdentityError(.invalidArgument, "app_id, user_id, and session_id are required")
        }
        for (field, value) in [("app_id", appID), ("user_id", userID), ("session_id", sessionID)] {
            guard SessionName.allows(value) else {
                throw IdentityError(
                    .invalidArgument,
                    "invalid \(field): must be no more than \(SessionName.maximumLength) letters, digits and -._~@:+=, "
                        + "and neither . nor ..")
            }
        }
        self.appID = appID
        self.userID = userID
        self.sessionID = sessionID
    }

    /// What needs no escaping in the path of a URI and does not end a part of it.
    private static func allows(_ part: String) -> Bool {
        part.utf8.count <= maximumLength && part != "." && part != ".."
            && part.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "-._~@:+=".utf8.contains(byte)
                }
            }
    }

    /// The subject of its tokens.
    var subject: String { "apps/\(appID)/users/\(userID)/sessions/\(sessionID)" }

    /// The name in its certificates.
    var uri: String { "spiffe://substrate-session.local/app/\(appID)/user/\(userID)/session/\(sessionID)" }
}
