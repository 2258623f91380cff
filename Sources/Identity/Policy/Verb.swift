/// What a caller may do. Each includes the ones before it.
package enum Verb: String, Sendable, CaseIterable, Comparable {
    /// Look.
    case view
    /// Create, change, suspend, resume and delete actors, and mint identities for their sessions.
    case operate
    /// Create and delete atespaces, pools and templates, and clear everything.
    case admin

    package static func < (left: Verb, right: Verb) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .view: 0
        case .operate: 1
        case .admin: 2
        }
    }
}
