internal import SubstrateModel

/// Why an actor is suspended.
enum SuspendCause: Sendable, Equatable {
    /// Somebody asked for it.
    case request
    /// The worker that has this presence drains.
    case drain(presence: String)
    /// It has served nothing for this long, on the worker that has this presence.
    case idleness(presence: String, Duration)
    /// The golden snapshot is taken of this stay, and is to be called that.
    case golden(stay: String, SnapshotURI)

    /// Whether it holds for an actor that runs there: one that has gone elsewhere meanwhile is left alone.
    func applies(to assignment: Assignment) -> Bool {
        switch self {
        case .request: true
        case .drain(let presence), .idleness(let presence, _): assignment.uid == presence
        case .golden(let stay, _): assignment.goldenStay == stay
        }
    }

    /// What the snapshot has to be called; nil when any name will do.
    var snapshot: SnapshotURI? { if case .golden(_, let snapshot) = self { snapshot } else { nil } }

    /// How long the node has to have seen it idle.
    var minimumIdleness: Duration? { if case .idleness(_, let duration) = self { duration } else { nil } }
}
