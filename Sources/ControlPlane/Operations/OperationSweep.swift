internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore
internal import Synchronization

/// Looks after the operations of this replica that no workflow of it runs: what every replica does for its own.
///
/// There are such since a read can prove that a write was applied, never that it will not be: a proposal that everybody had
/// given up may land late. While the replica lives, its operation keeps everybody else from the actor.
struct OperationSweep: Sendable {
    let control: ControlPlane
    let session: ReplicaSession
    private let underWay = UnderWay()

    init(control: ControlPlane, session: ReplicaSession) {
        self.control = control
        self.session = session
    }

    /// Runs until the task is cancelled.
    func run() async {
        while true {
            do { try await control.environment.clock.sleep(for: control.options.operationSweepInterval) } catch {
                return
            }
            await sweepOnce()
        }
    }

    private func sweepOnce() async {
        // When etcd does not answer, the next one will do.
        guard let listed = try? await control.store.listOperations() else { return }
        control.operations.take(listed.operations, control.environment.wallClock())
        for (ref, operation) in listed.operations.sorted(by: { $0.key < $1.key }) {
            let nonce = operation.value.nonce
            // Side by side: a node that does not answer is waited for long.
            guard operation.value.owner == session.replica, !session.isInHand(nonce), underWay.begin(nonce) else {
                continue
            }
            control.environment.log.warning(
                "found an operation of this replica that no workflow runs",
                ["actor": .text(ref), "token": .text(operation.token)])
            session.submit { hand in
                // What fails is in etcd still, and found by the next sweep.
                do { try await FinishOperation(control: control, hand: hand, ref: ref).run(operation) } catch {}
                underWay.end(nonce)
            }
        }
    }

    /// The operations that are being finished.
    private final class UnderWay: Sendable {
        private static let limit = 64
        private let nonces = Mutex<Set<String>>([])

        /// Whether that is to be begun: it is not under way, and there are not too many.
        func begin(_ nonce: String) -> Bool {
            nonces.withLock { $0.count < Self.limit && $0.insert(nonce).inserted }
        }

        func end(_ nonce: String) { nonces.withLock { _ = $0.remove(nonce) } }
    }
}
