/// A snapshot, by where it is kept.
package enum Snapshot: Hashable, Sendable, CustomStringConvertible {
    /// Where every node finds it.
    case external(SnapshotURI)
    /// On the disk of the node that wrote it.
    case local(LocalSnapshotName)

    /// The URI, or the name on the node.
    package var text: String {
        switch self {
        case .external(let uri): uri.text
        case .local(let name): name.text
        }
    }

    package var description: String { text }
}

/// Names a snapshot on a node: `<actor uid>/<nonce>`. Both parts keep the rule for names, so it can be part of a path.
package struct LocalSnapshotName: Hashable, Sendable, CustomStringConvertible {
    package let actorUID: String
    package let nonce: String

    /// Nil when a part is not a name.
    package init?(actorUID: String, nonce: String) {
        guard NameRule.allows(actorUID), NameRule.allows(nonce) else { return nil }
        self.actorUID = actorUID
        self.nonce = nonce
    }

    /// Nil when the text is not two names with a slash between them.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        self.init(actorUID: String(parts[0]), nonce: String(parts[1]))
    }

    package var text: String { "\(actorUID)/\(nonce)" }
    package var description: String { text }
}

/// A local snapshot, with the node that has it.
package struct LocalSnapshot: Sendable, Equatable {
    package var name: LocalSnapshotName
    package var node: String
    /// Of the state directory that it lies in: a node whose directory has been made anew does not have it.
    package var directoryID: String
    package var unknownFields = UnknownFields()

    package init(name: LocalSnapshotName, node: String, directoryID: String) {
        self.name = name
        self.node = node
        self.directoryID = directoryID
    }
}

/// A resume without the local snapshot that the actor had: from its last external one, or from its template.
package struct Fallback: Sendable, Equatable {
    package enum Reason: String, Sendable, CaseIterable {
        /// No worker of the node is present.
        case nodeGone = "its node is gone"
        /// The node says that it does not have the snapshot.
        case snapshotMissing = "its node does not have it"
    }

    /// The one that was given up.
    package var snapshot: LocalSnapshot
    package var reason: Reason
    /// Unix time in milliseconds by the clock of the replica that did it.
    package var atMilliseconds: Int64
    package var unknownFields = UnknownFields()

    package init(snapshot: LocalSnapshot, reason: Reason, atMilliseconds: Int64) {
        self.snapshot = snapshot
        self.reason = reason
        self.atMilliseconds = atMilliseconds
    }
}
