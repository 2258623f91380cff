internal import Etcd
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore
internal import Synchronization

/// Tells nodes which of their actors have been asked for, so that these do not count as idle: what every replica does with
/// what routers report, and with the resumes of actors that run already, which is how other clients begin.
///
/// The node is the one who keeps it, because only the node can order requests against checkpoints. Nothing of it is in etcd,
/// and no replica has to know what another was asked. Told are only actors whose template has an idle timeout: at once when
/// there was nothing to tell before, and otherwise all of a second in one call for each node.
final class ServedActors: Sendable {
    private let inventory: WorkerInventory
    private let nodes: any NodeAgents
    private let environment: Environment
    /// The uids of the presences, by their workers: at most as many as there are workers.
    private let noted = Mutex<[WorkerRef: String]>([:])
    private let signal = Signal()

    init(inventory: WorkerInventory, nodes: any NodeAgents, environment: Environment) {
        self.inventory = inventory
        self.nodes = nodes
        self.environment = environment
    }

    /// The actor that has this worker is about to serve.
    /// - Parameter uid: of the worker's presence when the actor was asked for.
    func note(_ worker: WorkerRef, uid: String) {
        guard inventory.row(worker)?.presence?.value.uid == uid else { return }
        noted.withLock { $0[worker] = uid }
        signal.fire()
    }

    /// Runs until the task is cancelled.
    func run() async {
        for await _ in signal.wakeUps {
            await tell()
            do { try await environment.clock.sleep(for: Self.interval) } catch { return }
        }
    }

    private static let interval: Duration = .seconds(1)
    /// A few, so that a node that does not answer does not keep the others from hearing.
    private static let nodesAtATime = 16

    private func tell() async {
        let taken = noted.withLock { noted in
            defer { noted = [:] }
            return noted
        }
        var byAgent: [String: [(worker: WorkerRef, uid: String)]] = [:]
        for (worker, uid) in taken.sorted(by: { $0.key < $1.key }) {
            // Another registration runs another actor.
            guard let presence = inventory.row(worker)?.presence?.value, presence.uid == uid else { continue }
            byAgent[presence.agentAddress, default: []].append((worker, uid))
        }
        await forEach(byAgent.sorted { $0.key < $1.key }, atATime: Self.nodesAtATime) { agent, served in
            do throws(NodeFailure) {
                _ = try await self.nodes.activity(ActivityRequest(served: served.map(\.uid)), at: agent)
            } catch {
                self.environment.log.debug(
                    "cannot tell a node of requests, will try again",
                    ["agent": .string(agent), "reason": .text(error)])
                self.noted.withLock { noted in
                    for (worker, uid) in served where noted[worker] == nil { noted[worker] = uid }
                }
                self.signal.fire()
            }
        }
    }
}
