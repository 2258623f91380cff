internal import Etcd
internal import ServiceKit
internal import SubstrateStore

/// Has etcd forget history that is older than a time: what the leader does where it is switched on.
///
/// Etcd knows no times, so the leader notes its revision now and then, and compacts up to the newest of those that are old
/// enough. So nothing is forgotten that this leader has not seen itself for as long, and a new leader begins to count anew.
package struct Compaction: Sendable {
    /// How old history gets.
    package var retention: Duration
    /// Compacts etcd up to a revision.
    package var compact: @Sendable (Int64) async throws -> Void

    package init(retention: Duration, compact: @escaping @Sendable (Int64) async throws -> Void) {
        self.retention = retention
        self.compact = compact
    }

    /// An eighth of the retention, which is as precisely as it is kept; a read of etcd each time.
    private var interval: Duration { max(retention / 8, .milliseconds(10)) }

    /// Runs until the task is cancelled.
    func run(_ store: Store, _ environment: Environment) async {
        var history = RevisionHistory()
        while true {
            do { try await environment.clock.sleep(for: interval) } catch { return }
            do {
                let age = environment.clock.stopwatch()
                history.note(try await store.etcd.range(.key(store.keys.generation)).revision, age)
                guard let revision = history.takeNewest(olderThan: retention) else { continue }
                try await compact(revision)
                environment.log.info("compacted etcd", ["revision": .integer(revision)])
            } catch {
                // Somebody else has compacted further: as good.
                if (error as? EtcdError)?.code == .compacted || Task.isCancelled { continue }
                environment.log.warning("cannot compact etcd, will try again", ["error": .string("\(error)")])
            }
        }
    }
}

/// At what times which revisions were the latest.
struct RevisionHistory {
    private var notes: [(revision: Int64, age: Stopwatch)] = []

    /// Notes a revision that was read after the stopwatch had been started.
    mutating func note(_ revision: Int64, _ age: Stopwatch) {
        // While nothing is written there is nothing to compact.
        if notes.last?.revision != revision { notes.append((revision, age)) }
    }

    /// The newest revision that is older than that, and never again one that is older still.
    mutating func takeNewest(olderThan limit: Duration) -> Int64? {
        guard let index = notes.lastIndex(where: { $0.age.elapsed() >= limit }) else { return nil }
        defer { notes.removeSubrange(...index) }
        return notes[index].revision
    }
}
