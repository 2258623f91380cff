package import Etcd
package import SubstrateModel

/// Why the store did not do what it was asked.
package enum StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Somebody else changed one of the compared keys first. Nothing was written; the rows are as they are now, so that
    /// whoever tries again need not read.
    case conflict(Rows)
    /// The lease of this replica is gone, and with it the right to write.
    case sessionLost
    /// A stored value cannot be read.
    case unreadable(key: String, reason: String)
    /// A value is larger than what is stored here.
    case tooLarge(key: String, bytes: Int)
    /// The actor cannot take this step in its state.
    case illegal(IllegalTransition)
    /// Etcd failed. When the error's outcome is unknown, a write may have been applied.
    case etcd(EtcdError)

    /// One line.
    package var description: String {
        switch self {
        case .conflict: "somebody else changed it first"
        case .sessionLost: "the lease of this replica is gone"
        case .unreadable(let key, let reason): "the value of \(key) cannot be read: \(reason)"
        case .tooLarge(let key, let bytes):
            "the value of \(key) would be \(bytes) bytes, more than the \(Codec.maximumSize) that are allowed"
        case .illegal(let transition): "\(transition)"
        case .etcd(let error): "\(error)"
        }
    }
}

/// The rows that a step compares, as one read found them.
package struct Rows: Sendable, Equatable {
    /// The store's revision of that read.
    package var revision: Int64
    package var actor: Stored<Actor>?
    package var operation: Stored<Operation>?
    /// Presence and binding of the worker that the step was about.
    package var presence: Stored<Presence>?
    package var binding: Stored<Binding>?

    package init(
        revision: Int64, actor: Stored<Actor>? = nil, operation: Stored<Operation>? = nil,
        presence: Stored<Presence>? = nil, binding: Stored<Binding>? = nil
    ) {
        self.revision = revision
        self.actor = actor
        self.operation = operation
        self.presence = presence
        self.binding = binding
    }
}
