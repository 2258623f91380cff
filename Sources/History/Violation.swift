/// Something that must never be, and was.
package struct Violation: Sendable, Equatable, CustomStringConvertible {
    /// What has been broken.
    package enum Promise: String, Sendable, CaseIterable {
        /// Invariant 1: no acknowledged write is lost, none is applied twice.
        case writes = "1, acknowledged writes"
        /// Invariants 2 and 3: actors and bindings agree, and states have a binding exactly when they need one.
        case agreement = "2 and 3, actors and bindings agree"
        /// Invariant 4: once quiet, no binding to an incarnation that is gone.
        case release = "4, lost workers are released"
        /// Invariant 5: the last snapshot is one that a node has confirmed.
        case snapshots = "5, confirmed snapshots"
        /// Invariant 6: at most one node runs an actor at any time.
        case exclusion = "6, one node at a time"
        /// Invariant 7: somebody has every transitional state in hand.
        case progress = "7, transitional states are in hand"
        /// An address that an actor has had is given to no other for a while.
        case address = "addresses rest"
        /// The table of transactions: what may change together, and on what conditions.
        case steps = "the table of steps"
        /// A row that cannot be read.
        case rows = "readable rows"
    }

    package var revision: Int64
    package var promise: Promise
    package var text: String

    package init(_ promise: Promise, at revision: Int64, _ text: String) {
        self.revision = revision
        self.promise = promise
        self.text = text
    }

    package var description: String { "revision \(revision): \(text) (\(promise.rawValue))" }
}
