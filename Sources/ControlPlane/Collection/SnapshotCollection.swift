internal import Etcd
internal import Metrics
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// Removes snapshots that no actor names any more: what the leader does.
///
/// ```
/// a step drops a snapshot ──► snapshots/garbage/ (same transaction) ──► retention ──► a node removes it ──► note deleted
/// ```
/// The notes are an outbox: whatever crashes, what is to be removed stays on the list until it has been. Why nothing is
/// removed that somebody needs:
///
/// - The note is written by the very transaction that takes the name out of the row, so before it nothing is removed.
/// - A name that was dropped never comes back. Each is made for one suspend; a row gets it as the snapshot in progress when
///   that begins, and as the last one when it ends. All later steps compare the row, so a late one does not bring it back.
///   Only a backup that is restored does, and that is what the retention is for.
/// - Who is being restored from a snapshot still names it: it is replaced by the next suspend, whose receipt says that the
///   actor runs no more. A late call to restore it is refused by the node's fences.
/// - All the same the rows are read before each removal. A snapshot that is named after all is kept, and said so.
///
/// A node that was lost may go on writing its snapshot for a moment on a slow file server; the retention is much longer than
/// that. If it were not, something would be left lying around, and nothing lost.
struct SnapshotCollection: Sendable {
    let control: ControlPlane

    private var store: Store { control.store }
    private var environment: Environment { control.environment }

    /// Notes that are read together, and then removed before the next are.
    static let pageSize = 64
    /// Notes in one round. What is left over comes in the next one.
    static let roundSize = 1024
    /// Removals under way at a time: they wait for a file server more than for us.
    private static let removalsAtATime = 8
    /// How many agents are asked for one snapshot in a round: their directories may differ.
    private static let agentsPerSnapshot = 3
    /// Longest pause after rounds in which something could not be removed.
    private static let longestPause: Duration = .seconds(3600)

    /// What became of one note.
    fileprivate enum Outcome: Sendable {
        case removed
        case stillNamed
        case failed(String)
    }

    /// What came of a round.
    struct Round: Sendable, Equatable {
        var removed = 0
        var stillNamed = 0
        var failed = 0
        /// Why the first one failed.
        var reason: String?
        /// Where the next round goes on; nil to begin anew.
        var next: Key?

        fileprivate mutating func add(_ outcome: Outcome) {
            switch outcome {
            case .removed: removed += 1
            case .stillNamed: stillNamed += 1
            case .failed(let why):
                failed += 1
                reason = reason ?? why
            }
        }
    }

    /// Runs until the task is cancelled.
    func run() async {
        let interval = control.options.snapshotCollectionInterval
        var backoff = Backoff(from: interval, to: max(interval, Self.longestPause))
        var next: Key?
        while true {
            do { try await environment.clock.sleep(for: environment.chance.jittered(backoff.pause())) } catch { return }
            var round: Round
            repeat {
                round = await collect(behind: next)
                next = round.next
                note(round)
                // A backlog is worked off at once, as long as that works.
            } while round.next != nil && round.failed == 0 && !Task.isCancelled
            if round.failed == 0 { backoff.reset() }
        }
    }

    private func note(_ round: Round) {
        for (result, count) in [("removed", round.removed), ("named", round.stillNamed), ("failed", round.failed)]
        where count > 0 { control.metrics.collected.add(Double(count), result) }
        if Task.isCancelled { return }
        if round.removed + round.stillNamed > 0 {
            environment.log.info(
                "removed snapshots that no actor names any more",
                ["removed": .integer(Int64(round.removed)), "named after all": .integer(Int64(round.stillNamed))])
        }
        if let reason = round.reason {
            environment.log.warning(
                "some snapshots that no actor names any more could not be removed, will try again",
                ["count": .integer(Int64(round.failed)), "first reason": .string(reason)])
        }
    }

    /// One round over the notes whose time has come. One that fails is tried again when all the others have been.
    func collect(behind start: Key?) async -> Round {
        var round = Round(next: start)
        let agents = Agents(control.inventory.agents)
        let retention = Int64(control.options.snapshotRetention / .milliseconds(1))
        let time = environment.wallClock() - retention
        var count = 0
        do throws(StoreError) {
            repeat {
                let page = try await store.garbage(untilMilliseconds: time, behind: round.next, limit: Self.pageSize)
                for error in page.unreadable { round.add(.failed("\(error)")) }
                await collect(page.dropped, agents, &round)
                round.next = page.next
                count += Self.pageSize
            } while round.next != nil && count < Self.roundSize && !agents.isEmpty && !Task.isCancelled
        } catch {
            round.add(.failed("\(error)"))
        }
        return round
    }

    private func collect(_ page: [Stored<DroppedSnapshot>], _ agents: Agents, _ round: inout Round) async {
        if page.isEmpty { return }
        let named: NamedSnapshots
        do throws(StoreError) {
            named = try await store.namedSnapshots(of: page.map(\.value.actor).sortedWithoutRepetition)
        } catch {
            for _ in page { round.add(.failed("\(error)")) }
            return
        }
        await withTaskGroup(of: Outcome.self) { group in
            for (index, dropped) in page.enumerated() {
                if index >= Self.removalsAtATime, let outcome = await group.next() { round.add(outcome) }
                group.addTask { await collect(dropped, named, agents) }
            }
            for await outcome in group { round.add(outcome) }
        }
    }

    private func collect(
        _ dropped: Stored<DroppedSnapshot>, _ named: NamedSnapshots, _ agents: Agents
    ) async -> Outcome {
        let snapshot = dropped.value.snapshot
        let isNamed = named.snapshots.contains(snapshot)
        if let error = named.unreadable[dropped.value.actor] {
            return .failed("\(snapshot): \(error)")
        } else if isNamed {
            environment.log.error(
                "a snapshot that was dropped is named after all and stays",
                ["snapshot": .text(snapshot), "actor": .text(dropped.value.actor)])
        } else if let reason = await remove(snapshot, agents) {
            return .failed("\(snapshot): \(reason)")
        }
        do throws(StoreError) {
            try await store.forget(dropped)
            return isNamed ? .stillNamed : .removed
        } catch {
            return .failed("\(error)")
        }
    }

    /// Asks one agent after the other; any that has the snapshot's location will do. Returns why none did it.
    private func remove(_ snapshot: SnapshotURI, _ agents: Agents) async -> String? {
        var asked: Set<String> = []
        var reason = "no node can be asked now"
        while asked.count < Self.agentsPerSnapshot, let address = agents.any(but: asked, environment.chance) {
            asked.insert(address)
            do throws(NodeFailure) {
                try await control.nodes.deleteSnapshot(DeleteSnapshotRequest(snapshot: snapshot), at: address)
                return nil
            } catch {
                reason = "\(address): \(error)"
                // One that does not answer keeps the others waiting only once in a round.
                if error.isSilence { agents.giveUp(address) }
            }
        }
        return reason
    }
}

extension Sequence where Element: Hashable & Comparable {
    fileprivate var sortedWithoutRepetition: [Element] { Set(self).sorted() }
}
