internal import Etcd
internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore
internal import Synchronization

/// Brings actors to a stable state whose operation has gone away with its replica: what the leader does.
///
/// As with lost workers, events only say: look again. Who is abandoned is computed from what is known.
struct Adoption: Sendable {
    let control: ControlPlane
    let session: ReplicaSession
    private let known = Known()

    init(control: ControlPlane, session: ReplicaSession) {
        self.control = control
        self.session = session
    }

    /// Runs until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await watch() }
            group.addTask { await sweep() }
            group.addTask { for await _ in known.listeners.changes { adoptAbandoned() } }
        }
    }

    private func watch() async {
        let store = control.store
        await follow(store.keys.lifecycle, of: store.etcd, control.environment) { listing in
            // All rows are decoded here: nobody is to wait for that.
            var table = LifecycleTable()
            table.take(listing, store.keys)
            known.update { [table] in $0.table = table }
        } changed: { events in
            known.update { $0.table.take(events, store.keys) }
        }
    }

    /// How many actors there are in which status, and how many nobody works on although somebody should; nil before all have
    /// been listed.
    var census: ActorCensus? { known.census }

    /// The row of an actor that has a worker, as the watch has shown it last.
    func row(of ref: ActorRef) -> Stored<Actor>? { known.row(of: ref) }

    /// Looks again at those who could not be adopted, and at operations whose deletion the watch has not told.
    private func sweep() async {
        while true {
            do { try await control.environment.clock.sleep(for: control.options.operationSweepInterval) } catch {
                return
            }
            let listed = try? await control.store.listOperations()
            known.update { state in
                if let listed { state.table.take(listed.operations, at: listed.revision) }
                state.tried = [:]
                state.failed = []
            }
        }
    }

    private func adoptAbandoned() {
        for ref in known.next(upTo: Self.adoptionsAtATime) {
            session.submit { hand in
                let hasFailed = await AdoptWorkflow(control: control, hand: hand, ref: ref).run()
                known.update {
                    $0.underWay.remove(ref)
                    if hasFailed { $0.failed.insert(ref) }
                }
            }
        }
    }

    /// Each asks a node and writes to etcd once or twice.
    private static let adoptionsAtATime = 64

    /// What the parts of it share.
    private final class Known: Sendable {
        struct State {
            var table = LifecycleTable()
            /// Who could not be adopted, at which revision of the row: not again before it changes or the next sweep.
            var tried: [ActorRef: Int64] = [:]
            /// Who could not be started: not again before the next sweep, whatever changes.
            var failed: Set<ActorRef> = []
            var underWay: Set<ActorRef> = []
        }

        let listeners = Listeners()
        private let state = Mutex(State())

        var census: ActorCensus? { state.withLock { $0.table.census } }

        func row(of ref: ActorRef) -> Stored<Actor>? { state.withLock { $0.table.row(of: ref) } }

        func update(_ change: (inout State) -> Void) {
            state.withLock { change(&$0) }
            listeners.tell()
        }

        /// Who is to be adopted now; they count as under way from here on.
        func next(upTo limit: Int) -> [ActorRef] {
            state.withLock { state in
                var next: [ActorRef] = []
                for ref in state.table.abandoned where state.underWay.count < limit {
                    let revision = state.table.revision(of: ref)
                    guard !state.underWay.contains(ref), !state.failed.contains(ref), state.tried[ref] != revision
                    else { continue }
                    state.underWay.insert(ref)
                    state.tried[ref] = revision
                    next.append(ref)
                }
                return next
            }
        }
    }
}
