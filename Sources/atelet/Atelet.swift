import Etcd
import Foundation
import GRPC
import Metrics
import NodeAgent
import ProgramKit
import ServiceKit
import StandardServices
import SubstrateModel
import SubstrateStore

@main
enum Atelet {
    static func main() async {
        // Not for people: what the agent starts beside itself.
        if CommandLine.arguments.dropFirst().first == WatchdogProcess.command {
            WatchdogProcess.main(Array(CommandLine.arguments.dropFirst(2)))
        }
        if CommandLine.arguments.dropFirst().first == Clearing.command {
            await Clearing.main(Array(CommandLine.arguments.dropFirst(2)))
        }
        let stopping = Readiness()
        await Program.run(flags, stopping: stopping) { values, log in
            let environment = Environment.system(log: log)
            let drain = NodeDrain(environment: environment)
            let grace = try values.duration("drain-grace")
            let metrics = MetricRegistry()
            ProcessMetrics.add(to: metrics)
            let etcd = try EtcdFlags.client(values, log, EtcdCallMetrics(metrics))
            let store = Store(etcd: etcd, keys: Keys(root: try EtcdFlags.root(values)))
            let directory = try StateDirectory(path: try path(values, "state-dir"), newID: environment.chance.id)
            let snapshots = SnapshotDirectory(root: try path(values, "snapshot-dir"))
            let watchdog = ProcessWatchdog(directory: directory, executable: "/proc/self/exe")
            let runtime = try await RuntimeFlags.runtime(values, directory, snapshots, watchdog, log)

            let address = try values.text("grpc-listen-addr")
            let credentials = try TLSFlags.server(values, clients: .required)
            try Loopback.check(
                address, isAllowedAnyway: values.isSet("insecure") || credentials != .insecure,
                flag: "--grpc-listen-addr")
            let slots = WorkerSlots()
            let methods =
                NodeServices(slots: slots, sandboxClass: runtime.sandboxClass).methods
                + SnapshotServices(snapshots: snapshots, local: directory.localSnapshots).methods
            let readiness = Readiness()
            let health = Health(of: methods, readiness)
            let reflection = Reflection(of: methods + health.methods) { _ in }
            let all = methods + health.methods + reflection.methods
            let server = try Server(
                address: address, credentials: credentials, methods: all,
                options: CallLog.serverOptions(log, CallMetrics(metrics, methods: all)))

            let agent = NodeAgent(
                options: try options(values, listening: address, port: server.port, runtime.sandboxClass), slots: slots,
                store: store,
                runtime: runtime, watchdog: watchdog,
                environment: environment, bootID: BootID.current, directoryID: directory.id,
                addressLedger: directory.addressLedger, readiness: readiness, drain: drain,
                metrics: nodeMetrics(metrics, SnapshotDirectory(root: snapshots.root, local: directory.localSnapshots)))
            agent.addReadings(to: metrics)
            let status = try StatusListener(values, agent.statusSource(metrics))
            log.info("serving", ["address": .string(address), "port": .integer(Int64(server.port))])
            // Not only once every worker is offered: one that is not fit is no reason to end the others.
            Supervisor.ready()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await server.run() }
                group.addTask { await status.run() }
                group.addTask { try await agent.run() }
                group.addTask {
                    for await isStopping in stopping.values where isStopping { drain.stop(within: grace) }
                }
                defer { group.cancelAll() }
                try await group.next()
            }
            // The workers are withdrawn; their networks need not outlive them.
            if let runtime = runtime as? GVisorRuntime { try await runtime.clear() }
        }
    }

    private static func nodeMetrics(_ metrics: MetricRegistry, _ snapshots: SnapshotDirectory) -> NodeMetrics {
        NodeMetrics(metrics) { snapshot in await BlockingThread.result { snapshots.bytes(of: snapshot) } }
    }

    private static func options(
        _ values: Flags.Values, listening address: String, port: Int, _ sandboxClass: SandboxClass
    ) throws(FlagError) -> NodeOptions {
        let node = try values.text("node-name")
        let workers = try values.number("workers")
        if let violation = NameRule.violation(of: "\(node)-\(workers)") {
            throw FlagError("--node-name \(node): with a worker's number behind it, it \(violation)")
        }
        let pool = try values.text("pool").split(separator: "/").map(String.init)
        guard pool.count == 2, NameRule.allows(pool[0]), NameRule.allowsSubdomain(pool[1]) else {
            throw FlagError("--pool must be <namespace>/<name> of a WorkerPool")
        }
        let host = address[..<(address.lastIndex(of: ":") ?? address.endIndex)]
        let actorPort =
            try values.optional("actor-port") == nil ? (getuid() == 0 ? 80 : 8080) : values.number("actor-port")
        var options = NodeOptions(
            node: node, pool: PoolRef(namespace: pool[0], name: pool[1]), workers: workers,
            addresses: try RuntimeFlags.addresses(values, port: actorPort, workers: workers, sandboxClass),
            addressRest: try values.duration("address-rest"),
            agentAddress: values.optional("advertise-addr") ?? "\(host):\(port)",
            routerAddress: try routerAddress(values),
            leaseTimeToLive: try values.duration("lease-ttl"), leaseMargin: try values.duration("lease-margin"),
            progressLimit: try values.duration("progress-limit"),
            collectionInterval: try values.duration("collection-interval"))
        options.localSnapshotRetention = try values.duration("local-snapshot-retention")
        return options
    }

    private static func routerAddress(_ values: Flags.Values) throws(FlagError) -> String? {
        guard let address = values.optional("router-address") else { return nil }
        guard let place = IPv4Place(address) else {
            throw FlagError("--router-address \(address): must be an IPv4 address and a port, as 10.0.0.7:8443")
        }
        return place.description
    }

    static func path(_ values: Flags.Values, _ flag: String) throws(FlagError) -> String {
        let path = try values.text(flag)
        guard path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
            throw FlagError("--\(flag) \(path): must be an absolute path without '..'")
        }
        return path
    }

    private static var flags: Flags {
        var flags = Flags(
            program: "atelet",
            summary:
                "The agent on a node: offers the node's workers, runs and checkpoints the actors placed on them. 'atelet clear STATE-DIRECTORY [SUBNET ...]' removes what one that was killed has left, where none starts again.",
            examples: ["atelet --pool default/small --workers 4", "atelet clear /var/lib/substrate/atelet"])
        flags.text("pool", "NAMESPACE/NAME", help: "The WorkerPool that the workers belong to.")
        flags.number("workers", 1...1000, default: 2, help: "How many workers to offer; each runs one actor at a time.")
        flags.text(
            "node-name", "NAME",
            default: ProcessInfo.processInfo.hostName.split(separator: ".").first.map { $0.lowercased() } ?? "node",
            help: "The node's name, unique in the pool. Workers are NAME-0, NAME-1 and so on.")
        flags.text(
            "state-dir", "DIRECTORY", default: "/var/lib/substrate/atelet",
            help:
                "For the agent's lock, its id, the files of running actors, and the snapshots of paused ones. One agent at a time can use it."
        )
        flags.text(
            "snapshot-dir", "DIRECTORY", default: "/var/lib/substrate/snapshots",
            help: "Snapshots of file:// locations have to lie below this; shared by all nodes that may run an actor.")
        RuntimeFlags.declare(in: &flags)
        flags.duration(
            "address-rest", default: "60s",
            help:
                "For how long after an actor has gone its address is given to no other, so that a request that comes late fails to connect instead of reaching a stranger: longer than a router may take from hearing an address to connecting to it. With more than a thousand starts in this time, --actor-addresses has to be larger than a /18."
        )
        flags.text(
            "actor-port", "PORT",
            help: "Port on which actors listen at their address. 80 as root, else 8080, unless given.")
        flags.text(
            "grpc-listen-addr", "ADDRESS", default: "127.0.0.1:0",
            help:
                "Where the agent's API is served, host:port; port 0 lets the system choose. Loopback only, unless there is TLS."
        )
        flags.text(
            "advertise-addr", "ADDRESS", help: "Where ateapi reaches that API, if not at the address listened on.")
        flags.text(
            "router-address", "ADDRESS",
            help:
                "Where the atenet of this machine takes requests of other machines' routers, ip:port: its --peer-advertise-addr. Without it every router has to reach the actors themselves, so there can be one machine."
        )
        flags.toggle(
            "insecure",
            help:
                "Allows --grpc-listen-addr and --status-listen-addr to be other addresses than loopback although there is no TLS."
        )
        StatusListener.declare(default: "127.0.0.1:7311", in: &flags)
        TLSFlags.declareServer(
            in: &flags,
            clients:
                "Certificates of the authorities that callers' certificates have to come from, PEM: with it only who shows such a one can call. The agent starts processes, so give it an authority that certifies ateapi alone."
        )
        EtcdFlags.declare(in: &flags)
        flags.duration(
            "lease-ttl", default: "5s",
            help: "How long the workers outlive an agent that has died: what the release of their actors waits for.")
        flags.duration(
            "lease-margin", default: "1s",
            help:
                "How long before the lease can have expired, counted from when its last renewal was sent, the actors are frozen: more than the clocks of node and etcd drift apart in --lease-ttl, and than a busy machine takes to stop processes. They go on when the lease is renewed after all, and are killed when it is gone."
        )
        flags.duration(
            "drain-grace", default: "30s",
            help:
                "On SIGTERM or SIGINT: how long the control plane has to suspend the actors before they are killed. A second signal kills them at once. Shorter than what the service manager waits, which for systemd is 90s."
        )
        flags.duration(
            "progress-limit", default: "10s",
            help:
                "How long a worker or the runtime may take no notice of what is asked of it before the lease is not renewed any more, so that the node loses its workers. Slow starts and checkpoints do not count, only that new requests are taken up. Twice the time after which a dead agent's workers go: longer than a busy machine keeps a thread waiting."
        )
        flags.duration(
            "collection-interval", default: "10m",
            help:
                "How often to look for snapshots of paused actors that no actor wants any more, at a read of etcd for each there is. It also happens at the start."
        )
        flags.duration(
            "local-snapshot-retention", default: "1h",
            help:
                "How long after that was first found such a snapshot is removed. An etcd that knows nothing of the actors may be the wrong one."
        )
        Logging.declare(in: &flags)
        return flags
    }
}
