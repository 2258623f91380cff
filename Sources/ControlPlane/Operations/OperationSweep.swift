internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore

/// Looks after the operations of this replica that no workflow of it runs: what every replica does for its own.
///
/// There are such since a read can prove that a write was applied, never that it will not be: a proposal that everybody had
/// given up may land late. While the replica lives, its operation keeps everybody else from the actor.
struct OperationSweep: Sendable {
    let control: ControlPlane
    let session: ReplicaSession

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
            guard operation.value.owner == session.replica, !session.isInHand(operation.value.nonce) else { continue }
            control.environment.log.warning(
                "found an operation of this replica that no workflow runs",
                ["actor": .text(ref), "token": .text(operation.token)])
            await Self.attempt { () throws(ControlError) in
                try await session.perform { hand throws(ControlError) in
                    try await FinishOperation(control: control, hand: hand, ref: ref).run(operation)
                }
            }
        }
    }

    private static func attempt(_ body: () async throws(ControlError) -> Void) async {
        // What fails is in etcd still, and found by the next sweep.
        do { try await body() } catch {}
    }
}
