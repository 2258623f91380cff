internal import Etcd
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore
internal import Synchronization

/// Removes golden actors that no template wants any more: what the leader does. There is one when a template was deleted
/// while its snapshot was being taken, or when a creation that everybody had given up landed late.
///
/// A template names its golden actor before that is created, and never names it again afterwards. So one that is read first,
/// and is named by none of the templates that are read afterwards, is nobody's for good.
struct GoldenLeftovers: Sendable {
    let control: ControlPlane
    let session: ReplicaSession
    private let removals = Removals()

    init(control: ControlPlane, session: ReplicaSession) {
        self.control = control
        self.session = session
    }

    private var store: Store { control.store }

    /// Runs until the task is cancelled.
    func run() async {
        while true {
            do throws(StoreError) {
                for ref in removals.next(of: try await find()) {
                    session.submit { hand in
                        await remove(ref, hand)
                        removals.ended(ref)
                    }
                }
            } catch {
                // The next one will do.
                control.environment.log.debug("cannot look for golden actors", ["error": .text(error)])
            }
            do { try await control.environment.clock.sleep(for: control.options.sweepInterval) } catch { return }
        }
    }

    /// Two linearizable reads, one while there are no golden actors.
    private func find() async throws(StoreError) -> [ActorRef] {
        var golden: [ActorRef] = []
        var cursor: Store.ActorCursor?
        repeat {
            let page = try await store.listActors(in: Atespace.golden, after: cursor, limit: 1000)
            golden += page.actors.filter(\.actor.value.isGolden).map(\.ref)
            cursor = page.next
        } while cursor != nil
        if golden.isEmpty { return [] }
        let wanted = Set(
            try await store.listTemplates().filter { $0.status.goldenSnapshot == nil }.map(\.status.goldenActorID))
        return golden.filter { !wanted.contains($0.name) }
    }

    private func remove(_ ref: ActorRef, _ hand: Hand) async {
        do throws(ControlError) {
            let actor = try await DiscardWorkflow(control: control, hand: hand, ref: ref).run()
            // What a paused one has on a node's disk goes when no row names it any more.
            guard let actor, [.suspended, .paused].contains(actor.value.state) else { return }
            do throws(StoreError) { try await store.deleteActor(ref, actor) } catch { throw ControlError(error) }
            control.environment.log.info("removed a golden actor that no template wants", ["actor": .text(ref)])
        } catch {
            control.environment.log.debug(
                "could not remove a golden actor, which the next sweep tries again",
                ["actor": .text(ref), "reason": .string("\(error)")])
        }
    }

    /// What is under way: a node that hangs keeps only its own from being removed.
    private final class Removals: Sendable {
        /// Each asks a node and writes to etcd twice.
        private static let removalsAtATime = 64

        private let underWay = Mutex<Set<ActorRef>>([])

        /// Who is to be removed now; they count as under way from here on.
        func next(of refs: [ActorRef]) -> [ActorRef] {
            underWay.withLock { underWay in
                var next: [ActorRef] = []
                for ref in refs where underWay.count < Self.removalsAtATime && underWay.insert(ref).inserted {
                    next.append(ref)
                }
                return next
            }
        }

        func ended(_ ref: ActorRef) { underWay.withLock { _ = $0.remove(ref) } }
    }
}

/// Stops a golden actor whose state nobody wants, and needs no template for it: it writes no snapshot.
///
/// For the store it is a pause that comes to nothing: begun, then stopped by the node, and abandoned on its receipt.
struct DiscardWorkflow: Workflow {
    let control: ControlPlane
    let hand: Hand
    let ref: ActorRef

    /// - Returns: the actor as it is then; nil when there is none, or it is not golden.
    func run() async throws(ControlError) -> Stored<Actor>? {
        guard var actor = try await current() else { return nil }
        while true {
            // Whoever has deleted it may have created one of his own under its name.
            guard actor.value.isGolden else { return nil }
            switch actor.value.state {
            case .suspended, .paused: return actor
            case .resuming, .suspending, .pausing: actor = try await adopt(actor)
            case .running(let assignment):
                let pause = PauseWorkflow(control: control, hand: hand, ref: ref)
                switch try await pause.begin(actor, assignment.worker) {
                case .changed(let fresh): actor = fresh
                case .begun(let claim):
                    return try await settle(claim) { (nodes, address) throws(NodeFailure) in
                        try await nodes.stop(StopRequest(workerUID: assignment.uid), claim.fences, at: address)
                    }.actor
                }
            }
        }
    }

    private func current() async throws(ControlError) -> Stored<Actor>? {
        do throws(StoreError) { return try await store.actor(ref) } catch { throw ControlError(error) }
    }
}
