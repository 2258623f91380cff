internal import Etcd
internal import Metrics
internal import ServiceKit
package import SubstrateModel
internal import Synchronization

/// The workflows that this replica runs now: for whoever looks.
package final class WorkflowsUnderWay: Sendable {
    package enum Kind: String, Sendable {
        case resume, suspend, pause, adopt
    }

    package struct Entry: Sendable {
        package var kind: Kind
        package var actor: ActorRef
        /// Unix time in milliseconds.
        package var sinceMilliseconds: Int64
    }

    private let entries = Mutex<(next: Int, all: [Int: Entry])>((0, [:]))

    /// Those that have begun first come first.
    package var all: [Entry] {
        entries.withLock { $0.all }.sorted { $0.key < $1.key }.map(\.value)
    }

    package var count: Int { entries.withLock { $0.all.count } }

    fileprivate func add(_ entry: Entry) -> Int {
        entries.withLock { entries in
            entries.next += 1
            entries.all[entries.next] = entry
            return entries.next
        }
    }

    fileprivate func remove(_ id: Int) { entries.withLock { $0.all[id] = nil } }
}

extension Workflow {
    /// Runs the workflow, or what of it takes its time, and notes how long that was and how it ended.
    func measured<Value>(
        _ kind: WorkflowsUnderWay.Kind, _ body: () async throws(ControlError) -> Value
    ) async throws(ControlError) -> Value {
        let id = control.underWay.add(
            WorkflowsUnderWay.Entry(kind: kind, actor: ref, sinceMilliseconds: environment.wallClock()))
        defer { control.underWay.remove(id) }
        let time = environment.clock.stopwatch()
        do {
            let value = try await body()
            control.metrics.workflows.observe(time.elapsed(), kind.rawValue, "ok")
            return value
        } catch {
            control.metrics.workflows.observe(time.elapsed(), kind.rawValue, error.outcome)
            throw error
        }
    }
}
