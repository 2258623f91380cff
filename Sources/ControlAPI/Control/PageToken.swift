internal import Foundation
internal import GRPC
internal import SubstrateModel
internal import SubstrateStore

/// Where a listing goes on, as clients carry it: opaque to them, checked when it comes back.
enum PageToken {
    static let invalid = Status.invalid("page_token is not one that this listing has returned")

    /// The listing's scope is part of it, so that it cannot be used in another listing.
    static func text(_ cursor: Store.ActorCursor, atespace: String) -> String {
        let parts = [
            "1", "\(cursor.revision)", atespace, cursor.last.atespace, cursor.last.name, "\(cursor.remaining)",
            "\(cursor.shared)",
        ]
        return Data(parts.joined(separator: "/").utf8).base64EncodedString()
    }

    /// The cursor, or nil for an empty token.
    static func parse(_ token: String, atespace: String) throws(Status) -> Store.ActorCursor? {
        if token.isEmpty { return nil }
        guard let data = Data(base64Encoded: token), let text = String(data: data, encoding: .utf8) else {
            throw invalid
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 7, parts[0] == "1", let revision = Int64(parts[1]), revision > 0, parts[2] == atespace,
            NameRule.allows(parts[3]), NameRule.allows(parts[4]),
            // Whoever may see one atespace may not go on from another.
            atespace.isEmpty || parts[3] == atespace,
            let remaining = Int(parts[5]), remaining >= 0, let shared = Int(parts[6]), shared >= 0
        else { throw invalid }
        return Store.ActorCursor(
            revision: revision, last: ActorRef(atespace: parts[3], name: parts[4]), remaining: remaining,
            shared: shared)
    }
}
