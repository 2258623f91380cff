import ControlAPI
import ControlPlane
import Etcd
import GRPC
import Identity
import Metrics
import ProgramKit
import ServiceKit
import StandardServices
import SubstrateModel
import SubstrateStore

@main
enum Ateapi {
    static func main() async {
        if CommandLine.arguments.dropFirst().first == "admin" {
            await Admin.main(Array(CommandLine.arguments.dropFirst(2)))
        }
        await Program.run(flags) { values, log in
            OpenFiles.raiseLimit()
            let environment = Environment.system(log: log)
            let root = try EtcdFlags.root(values)
            let metrics = MetricRegistry()
            ProcessMetrics.add(to: metrics)
            let etcd = try EtcdFlags.client(values, log, EtcdCallMetrics(metrics))
            let store = Store(etcd: etcd, keys: Keys(root: root))
            let options = try controlOptions(values, etcd)
            let nodes = GRPCNodeAgents(
                credentials: try TLSFlags.client("node", values),
                questionTimeout: try values.duration("question-timeout"), workTimeout: options.answerLimit)
            let control = ControlPlane(
                store: store, nodes: nodes, environment: environment, options: options,
                metrics: ControlPlaneMetrics(metrics))
            let address = try values.text("grpc-listen-addr")
            let credentials = try TLSFlags.server(values, clients: .verifiedIfGiven)
            try Loopback.check(
                address, isAllowedAnyway: values.isSet("insecure") || credentials != .insecure,
                flag: "--grpc-listen-addr")
            let callGuard = try callGuard(values, log, environment)
            let services = ControlServices(
                control: control, callGuard: callGuard, options: try serviceOptions(values, environment))
            let methods = services.methods
            let health = Health(of: methods, control.inventory.readiness)
            let reflection = Reflection(of: methods + health.methods) { call in
                try await callGuard.admit(call, atespace: nil)
            }
            let all = methods + health.methods + reflection.methods
            let server = try Server(
                address: address, credentials: credentials, methods: all,
                options: try serverOptions(values, log, CallMetrics(metrics, methods: all)))
            let etcdHealth = EtcdHealth(etcd, environment: environment)
            control.addReadings(to: metrics)
            etcdHealth.addReadings(to: metrics)
            let status = try StatusListener(values, ControlPlaneStatus(control, etcd: etcdHealth).source(metrics))
            log.info(
                "serving", ["address": .string(address), "port": .integer(Int64(server.port)), "root": .string(root)])
            try await withBackground {
                await withDiscardingTaskGroup { group in
                    group.addTask { await etcdHealth.run() }
                    group.addTask { await status.run() }
                }
            } _: {
                try await run(control, server)
            }
        }
    }

    /// Until the task is cancelled, or etcd turns out to have been restored from a backup.
    private static func run(_ control: ControlPlane, _ server: Server) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await control.waitForRestore() }
            group.addTask {
                // On a stop, calls under way get their time before the workflows behind them are stopped.
                await withBackground {
                    await withDiscardingTaskGroup { group in
                        group.addTask { await control.run() }
                        group.addTask { await DefaultAtespace.ensure(control.store, control.environment) }
                        group.addTask { await Supervisor.follow(control.inventory.readiness) }
                    }
                } _: {
                    await server.run()
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private static func serverOptions(
        _ values: Flags.Values, _ log: Log, _ metrics: CallMetrics
    ) throws(FlagError) -> ServerOptions {
        var options = CallLog.serverOptions(log, metrics)
        options.maximumConcurrentCalls = try values.number("max-concurrent-calls")
        options.maximumConcurrentStreams = try values.number("max-concurrent-streams")
        options.maximumStreamsPerNetwork = try values.number("max-streams-per-client")
        return options
    }

    private static func controlOptions(
        _ values: Flags.Values, _ etcd: EtcdClient
    ) throws(FlagError) -> ControlPlaneOptions {
        var options = ControlPlaneOptions()
        options.snapshotRetention = try values.duration("snapshot-retention")
        let compactionRetention = try values.duration("compaction-retention")
        if compactionRetention > .zero {
            options.compaction = Compaction(retention: compactionRetention) { try await etcd.compact($0) }
        }
        options.sweepInterval = try values.duration("sweep-interval")
        options.leaseTimeToLive = try values.duration("session-ttl")
        options.answerLimit = try values.duration("answer-limit")
        let (actors, running) = (
            try values.number("max-actors-per-atespace"), try values.number("max-running-actors-per-atespace")
        )
        options.quotas.actors = actors == 0 ? nil : actors
        options.quotas.running = running == 0 ? nil : running
        options.capacityQueue = try values.number("capacity-queue")
        options.failedWorkerAvoidance = try values.duration("failed-worker-avoidance")
        options.idleCheckInterval = try values.duration("idle-check-interval")
        options.nodeReturnLimit = try values.duration("node-return-limit")
        options.goldenActorTime = try values.duration("golden-actor-time")
        return options
    }

    private static func serviceOptions(
        _ values: Flags.Values, _ environment: Environment
    ) throws -> ControlServiceOptions {
        var options = ControlServiceOptions()
        options.allowsDebugClear = values.isSet("enable-debug")
        options.capacityWait = try values.duration("capacity-wait")
        options.workerTrustDomain = try values.text("worker-trust-domain")
        options.streamLifetime = try values.duration("stream-lifetime")
        options.minter = try SessionMinter(
            jwtPoolFile: values.optional("session-id-jwt-pool"), caPoolFile: values.optional("session-id-ca-pool"),
            now: { environment.wallClock() / 1000 }, log: environment.log)
        return options
    }

    private static func declareSessions(in flags: inout Flags) {
        flags.text(
            "session-id-jwt-pool", "FILE",
            help:
                "The keys that sign the tokens of sessions, from atectl admin make-jwt-pool; read again when it changes."
        )
        flags.text(
            "session-id-ca-pool", "FILE",
            help:
                "The authorities that certify sessions, from atectl admin make-ca-pool; read again when it changes.")
        flags.text(
            "worker-trust-domain", "NAME", default: "substrate.local",
            help:
                "Who may ask for a session's identity: the worker that holds the actor, known by the SPIFFE ID in its certificate or token, spiffe://NAME/ns/<namespace>/pool/<pool>/worker/<pod>."
        )
    }

    private static func clientRates(
        _ values: Flags.Values, _ environment: Environment
    ) throws(FlagError) -> ClientRates? {
        let rate = try values.number("client-rate")
        guard rate > 0 else {
            if values.isGiven("client-burst") { throw FlagError("--client-burst needs --client-rate") }
            return nil
        }
        return ClientRates(
            callsPerSecond: rate, burst: try values.number("client-burst"), clock: environment.clock)
    }

    private static func declareLimits(in flags: inout Flags) {
        flags.number(
            "client-rate", 0...1_000_000, default: 0,
            help:
                "How many calls per second one client may make; more are answered RESOURCE_EXHAUSTED. A client is known by its certificate or token, and without one by its address. 0 for no limit, as in Agent Substrate: the right number depends on the routers, each of which calls for all its users."
        )
        flags.number(
            "client-burst", 1...1_000_000, default: 100,
            help: "With --client-rate: how many calls a client may make at once after a pause.")
        flags.number(
            "max-concurrent-calls", 1...100_000, default: 4096,
            help:
                "How many calls are handled at the same time; more are answered RESOURCE_EXHAUSTED. So many that wait for etcd take some tens of megabytes."
        )
        flags.number(
            "max-concurrent-streams", 1...100_000, default: 4096,
            help:
                "How many watches and streams of logs there may be at the same time. They last, so they have places of their own."
        )
        flags.number(
            "max-streams-per-client", 1...100_000, default: 1024,
            help:
                "How many of them may come from one address, or one network of 64 bits in IPv6, so that nobody can take all places alone."
        )
    }

    private static func callGuard(
        _ values: Flags.Values, _ log: Log, _ environment: Environment
    ) throws -> CallGuard {
        let authorizer = try Authorizer(policyFile: values.optional("policy"), log: log)
        let rates = try clientRates(values, environment)
        guard try values.text("auth-mode") == "jwt" else {
            for flag in ["client-jwt-issuer", "client-jwt-audience", "client-jwt-keys", "client-jwt-ca-cert"]
            where values.optional(flag) != nil {
                throw FlagError("--\(flag) needs --auth-mode jwt: without it tokens are not looked at")
            }
            return CallGuard(.certificates, authorizer: authorizer, rates: rates)
        }
        let issuer = try values.text("client-jwt-issuer")
        let verifier = try TokenVerifier(
            issuer: issuer, audience: try values.text("client-jwt-audience"),
            keys: values.optional("client-jwt-keys").map { .file($0) }
                ?? .issuer(authorities: values.optional("client-jwt-ca-cert")),
            now: { environment.wallClock() / 1000 }, log: log)
        return CallGuard(.tokens(verifier), authorizer: authorizer, rates: rates)
    }

    private static func declareAuthentication(in flags: inout Flags) {
        flags.choice(
            "auth-mode", ["mtls", "jwt"], default: "mtls",
            help:
                "How callers prove who they are. mtls: by a certificate of --tls-client-cacert, if they show one; jwt: by a bearer token, without which nothing is answered."
        )
        flags.text("client-jwt-issuer", "URL", help: "jwt: who issues the tokens; has to be their 'iss'.")
        flags.text("client-jwt-audience", "TEXT", help: "jwt: whom the tokens are for; has to be in their 'aud'.")
        flags.text(
            "client-jwt-keys", "FILE",
            help:
                "jwt: the issuer's keys as a JWKS file, read again when it changes. Without it they are fetched from the issuer."
        )
        flags.text(
            "client-jwt-ca-cert", "FILE",
            help: "jwt: the authorities that may certify the issuer's server, PEM, instead of the system's.")
        flags.text(
            "policy", "FILE",
            help:
                "Who may do what in which atespaces, JSON, read again when it changes. Without it everything is allowed to whoever connects, with --auth-mode jwt to whoever has a valid token."
        )
    }

    private static func declareUpkeep(in flags: inout Flags) {
        flags.duration(
            "snapshot-retention", default: "24h",
            help:
                "How long a snapshot is kept that no actor names any more. Longer than the interval between backups of etcd, because a backup that is restored names the snapshots of its time."
        )
        flags.duration(
            "compaction-retention", default: "0s",
            help:
                "How old the history of etcd gets before the leader has it forgotten. 0 leaves it alone: etcd may be shared, or compact by itself."
        )
    }

    private static var flags: Flags {
        var flags = Flags(
            program: "ateapi",
            summary:
                "The control plane: serves the API, places actors on workers, releases them from lost ones. Run two or more."
        )
        flags.text(
            "grpc-listen-addr", "ADDRESS", default: "127.0.0.1:7300",
            help:
                "Where the API is served, host:port; port 0 lets the system choose. Loopback only, unless there is TLS."
        )
        flags.toggle(
            "insecure",
            help:
                "Allows --grpc-listen-addr and --status-listen-addr to be other addresses than loopback although there is no TLS."
        )
        StatusListener.declare(default: "127.0.0.1:7301", in: &flags)
        TLSFlags.declareServer(
            in: &flags,
            clients:
                "Certificates of the authorities that clients' certificates have to come from, PEM. A client need not show one."
        )
        declareAuthentication(in: &flags)
        declareSessions(in: &flags)
        flags.duration(
            "stream-lifetime", default: "1h",
            help:
                "How long a watch or a stream of logs may last before the client has to open it anew, which asks again what it may do."
        )
        declareLimits(in: &flags)
        flags.toggle("enable-debug", help: "Allows DebugClear, which deletes all actors and atespaces. For tests.")
        TLSFlags.declareClient("node", of: "a node", in: &flags)
        EtcdFlags.declare(in: &flags)
        flags.duration(
            "session-ttl", default: "5s",
            help:
                "How long the operations of this replica outlive it. Shorter makes others wait less when it dies, longer makes it more patient with an etcd that does not answer."
        )
        flags.duration(
            "sweep-interval", default: "30s",
            help:
                "How often all workers are listed although the watch on them is in order: servers of etcd have lost delete events."
        )
        flags.duration(
            "question-timeout", default: "2s",
            help: "How long a node may take to say what became of an actor; it answers such questions at once.")
        flags.duration(
            "answer-limit", default: "10m",
            help:
                "How long a node may stay without a final answer before its worker is given up. Longer than the slowest start of an actor."
        )
        flags.duration(
            "capacity-wait", default: "0s",
            help:
                "How long a resume that finds no free worker waits for one, in the order of arrival, instead of failing. 0 for not at all, as in Agent Substrate."
        )
        flags.number(
            "max-actors-per-atespace", 0...100_000_000, default: 0,
            help:
                "How many actors an atespace may have; more are answered RESOURCE_EXHAUSTED, but for those that are made in the same moment. 0 for no limit. With one, each CreateActor counts the atespace's actors in etcd."
        )
        flags.number(
            "max-running-actors-per-atespace", 0...1_000_000, default: 0,
            help:
                "How many actors of an atespace may be on workers at a time; resumes of more are answered RESOURCE_EXHAUSTED, but for those of the same moment. 0 for no limit."
        )
        flags.number(
            "capacity-queue", 1...100_000, default: 1000,
            help: "How many resumes may wait for a worker; more fail at once. One costs about a kilobyte.")
        flags.duration(
            "failed-worker-avoidance", default: "60s",
            help:
                "How long a worker that could not start an actor is avoided for that actor, as long as there is another. Most reasons concern one node and pass."
        )
        flags.duration(
            "node-return-limit", default: "5s",
            help:
                "How long the resume of a paused actor waits for the node that has its snapshot before it falls back to the last external one. Longer than a restart of an agent."
        )
        flags.duration(
            "idle-check-interval", default: "5s",
            help:
                "How often the leader asks the nodes how long actors have been idle whose template has an idleTimeout: one call to each node that has some. An actor is suspended at most two of these late, so leave it well below the timeouts."
        )
        flags.duration(
            "golden-actor-time", default: "20s",
            help:
                "How long the actor runs that the golden snapshot of a template is taken of, before it is taken, when a container has no readyz. With one on each it is taken as soon as they are ready."
        )
        declareUpkeep(in: &flags)
        Logging.declare(in: &flags)
        return flags
    }
}
