import ControlAPI
import ControlPlane
import Etcd
import GRPC
import Metrics
import NodeAgent
import ProgramKit
import Router
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit

/// The metrics of each program, put together as its main does.
enum AllMetrics {
    static var ofEachProgram: [(program: String, definitions: [Definition])] {
        [("ateapi", ateapi), ("atelet", atelet), ("atenet", atenet)]
    }

    private static var etcd: EtcdClient { EtcdClient(endpoints: ["127.0.0.1:1"]) }

    private static func registry(talksToEtcd: Bool) -> MetricRegistry {
        let registry = MetricRegistry()
        ProcessMetrics.add(to: registry)
        guard talksToEtcd else { return registry }
        _ = EtcdCallMetrics(registry)
        _ = CallMetrics(registry, methods: [])
        return registry
    }

    private static var ateapi: [Definition] {
        let registry = registry(talksToEtcd: true)
        let control = ControlPlane(
            store: Store(etcd: etcd, keys: Keys()), nodes: InProcessNodes(), environment: .test(),
            metrics: ControlPlaneMetrics(registry))
        control.addReadings(to: registry)
        EtcdHealth(etcd, environment: .test()).addReadings(to: registry)
        return registry.definitions
    }

    private static var atelet: [Definition] {
        let registry = registry(talksToEtcd: true)
        let runtime = InstantRuntime()
        let options = NodeOptions(
            node: "node", pool: PoolRef(namespace: "default", name: "pool"), workers: 1, addresses: .pretended,
            agentAddress: "node")
        let agent = NodeAgent(
            options: options, slots: WorkerSlots(), store: Store(etcd: etcd, keys: Keys()), runtime: runtime,
            watchdog: InstantWatchdog(runtime), environment: .test(), bootID: "boot", directoryID: "directory",
            addressLedger: AddressNotes(), metrics: NodeMetrics(registry))
        agent.addReadings(to: registry)
        return registry.definitions
    }

    private static var atenet: [Definition] {
        let registry = registry(talksToEtcd: false)
        let activity = RouterActivity(environment: .test(), registry)
        let channel = Channel(target: "127.0.0.1:1", credentials: .insecure)
        let probe = APIProbe(channel, environment: .test(), registry)
        let resolver = ActorResolver(channel: channel, environment: .test())
        resolver.addReadings(to: registry)
        return withExtendedLifetime((activity, probe, resolver)) { registry.definitions }
    }
}
