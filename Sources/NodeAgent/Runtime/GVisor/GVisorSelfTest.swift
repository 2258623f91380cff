internal import Foundation
internal import GRPC
internal import Glibc
internal import ServiceKit
internal import SubstrateAPI
package import SubstrateModel

extension GVisorRuntime {
    /// Link-local like the node's own, so that it is no actor's.
    private static let selfTestAddress = "169.254.77.3"
    /// As a worker is called, but for the number.
    private static let selfTestPod = "self-test"

    /// Runs a trivial process on the worker, in the way in which an actor would be.
    package func selfTest(pod: String, address: ActorAddress?) async throws(RuntimeFailure) {
        // Epochs are revisions of etcd, which begin with 1.
        let sandbox = try await start(trivial(pod, Epoch(0), from: nil))
        await sandbox.kill()
    }

    /// Runs, saves and restores a trivial process: whether this node can run actors in gVisor at all. While nothing runs;
    /// nothing of it is left.
    /// - Throws: what is in the way.
    package func selfTest() async throws {
        guard getuid() == 0 else {
            throw RuntimeFailure(.failedPrecondition, "it needs root, and this runs as user \(getuid())")
        }
        try await killLeftovers()
        do {
            try await saveAndRestore()
            try await clear()
        } catch {
            await uncancelled { try? await self.clear() }
            throw error
        }
    }

    private func saveAndRestore() async throws {
        // Beside the real ones, which are read by the same rules.
        guard let name = LocalSnapshotName(actorUID: Self.selfTestPod, nonce: "memory") else { return }
        let snapshot = localSnapshots.uri(of: name)
        // One that was killed in the middle of this has left it.
        await BlockingThread.result { [localSnapshots] in localSnapshots.remove(name) }
        defer { localSnapshots.remove(name) }
        let first = try await start(trivial(Self.selfTestPod, Epoch(1), from: nil))
        do throws(RuntimeFailure) {
            try await first.checkpoint(to: snapshot, .full, if: nil)
        } catch {
            await first.kill()
            throw error
        }
        let second = try await start(trivial(Self.selfTestPod, Epoch(2), from: snapshot))
        await second.kill()
    }

    private func trivial(_ pod: String, _ epoch: Epoch, from snapshot: SnapshotURI?) -> Activation {
        let container = Container(name: "self-test", command: ["/bin/sleep", "600"])
        return Activation(
            pod: pod, epoch: epoch,
            workload: Workload(
                actor: ActorRef(atespace: "self-test", name: "self-test"), actorUID: Self.selfTestPod,
                template: TemplateRef(namespace: "self-test", name: "self-test"), containers: [container]),
            address: ActorAddress(ip: Self.selfTestAddress, port: 80), snapshot: snapshot,
            output: ActorOutput(epoch: epoch, workerPod: pod, wallClock: { 0 }),
            // It belongs to nobody.
            resume: { [id = directory.id] in
                ActorFreezer.letGoOn(ActorCgroup(ActivationID(pod: pod, epoch: epoch), directoryID: id))
            })
    }
}
