package import Etcd

/// Everything that one revision of etcd has changed.
package struct Change: Sendable, Equatable {
    package var revision: Int64
    package var events: [WatchEvent]

    package init(revision: Int64, events: [WatchEvent]) {
        self.revision = revision
        self.events = events
    }

    /// The changes in a batch of a watch, which holds whole revisions in their order.
    package static func changes(in events: [WatchEvent]) -> [Change] {
        var changes: [Change] = []
        for event in events {
            if changes.last?.revision == event.revision {
                changes[changes.count - 1].events.append(event)
            } else {
                changes.append(Change(revision: event.revision, events: [event]))
            }
        }
        return changes
    }
}
