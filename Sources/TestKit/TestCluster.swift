package import ControlPlane
package import Etcd
package import Metrics
package import NodeAgent
package import ServiceKit
internal import SubstrateModel
package import SubstrateStore
internal import Synchronization

/// A control plane and nodes in this process, on a real etcd: all the code but the network between the programs, and the
/// processes of actors.
package final class TestCluster: Sendable {
    /// What the control plane sees of etcd.
    package let etcd: InterceptedEtcd
    /// What the nodes see of etcd.
    package let nodeEtcd: InterceptedEtcd
    /// For the test itself.
    package let fixture: StoreFixture
    package let control: ControlPlane
    package let nodes = InProcessNodes()
    package let log = LogRecorder()
    /// Of the control plane, and of the nodes.
    package let metrics = MetricRegistry()
    package let nodeMetrics = MetricRegistry()
    private let services = TaskPool()

    package var store: Store { fixture.store }

    /// One node with its agent.
    package final class Node: Sendable {
        package let name: String
        package let runtime: InstantRuntime
        package let slots = WorkerSlots()
        /// By which its agent is told to stop after a drain.
        package let drain: NodeDrain
        /// Set when its agent has ended.
        package let ended = Flag()
        fileprivate let stopped = Signal()

        init(name: String, runtime: InstantRuntime, _ environment: Environment) {
            self.name = name
            self.runtime = runtime
            drain = NodeDrain(environment: environment)
        }
    }

    /// - Parameters:
    ///   - store: of the test; the cluster works under its root.
    ///   - chance, wallClock: of the control plane.
    ///   - controlEtcd, nodeEtcd: what the two see, if not what the test sees.
    package init(
        _ store: Store, options: ControlPlaneOptions = TestCluster.impatient,
        chance: Chance = Chance(SystemRandomNumberGenerator()), wallClock: (@Sendable () -> Int64)? = nil,
        controlEtcd: (any EtcdStore)? = nil,
        nodeEtcd: (any EtcdStore)? = nil
    ) async throws {
        fixture = try await StoreFixture(store)
        etcd = InterceptedEtcd(controlEtcd ?? store.etcd)
        self.nodeEtcd = InterceptedEtcd(nodeEtcd ?? store.etcd)
        var environment = Environment.test(log: log.log)
        environment.chance = chance
        if let wallClock { environment.wallClock = wallClock }
        control = ControlPlane(
            store: Store(etcd: etcd, keys: store.keys), nodes: nodes, environment: environment, options: options,
            metrics: ControlPlaneMetrics(metrics))
        control.addReadings(to: metrics)
    }

    /// The defaults, without the wait for nodes that no test brings back.
    package static var impatient: ControlPlaneOptions {
        var options = ControlPlaneOptions()
        options.nodeReturnLimit = .milliseconds(10)
        return options
    }

    /// Runs the control plane beside `body`.
    package func run<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        try await running(services.run) {
            try await running(control.run) {
                try await eventually("the control plane works") {
                    control.inventory.isListed && control.replica.hasSession
                }
                return try await body()
            }
        }
    }

    /// How large the snapshots of its nodes are said to be.
    package static let snapshotBytes = 12_345

    /// Adds a node and waits until the control plane knows its workers. To be called within `run`.
    /// - Parameters:
    ///   - runtime: of an earlier node that this one is, to have that one's disk.
    ///   - addresses: what its actors get.
    package func addNode(
        _ name: String, workers: Int, leaseTimeToLive: Duration = .seconds(60),
        progressLimit: Duration = .seconds(10), runtime: InstantRuntime = InstantRuntime(),
        addresses: AddressRange = .pretended
    ) async throws -> Node {
        let environment = Environment.test(log: log.log)
        let node = Node(name: name, runtime: runtime, environment)
        let options = NodeOptions(
            node: name, pool: fixture.pool.ref, workers: workers, addresses: addresses, agentAddress: name,
            leaseTimeToLive: leaseTimeToLive, leaseMargin: leaseTimeToLive / 5, progressLimit: progressLimit)
        let agent = NodeAgent(
            options: options, slots: node.slots, store: Store(etcd: nodeEtcd, keys: store.keys), runtime: node.runtime,
            watchdog: InstantWatchdog(node.runtime), environment: environment, bootID: "boot", directoryID: name,
            addressLedger: AddressNotes(), drain: node.drain,
            metrics: NodeMetrics(nodeMetrics) { _ in Self.snapshotBytes })
        agent.addReadings(to: nodeMetrics)
        nodes.add(node.slots, at: name)
        services.submit {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await agent.run() }
                group.addTask { for await _ in node.stopped.wakeUps { return } }
                await group.next()
                group.cancelAll()
            }
            node.ended.set()
        }
        try await eventually("the workers of \(name) are known") {
            node.slots.all.count == workers
                && options.workers.allSatisfy { control.inventory.row($0)?.presence != nil }
        }
        return node
    }

    /// The node is no more: its actors are dead, its presences gone, its agent not reached.
    package func stop(_ node: Node) {
        nodes.remove(node.name)
        node.stopped.fire()
    }
}
