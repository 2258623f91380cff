import GRPC
import HTTP
import Metrics
import ProgramKit
import Router
import ServiceKit

@main
enum Atenet {
    static func main() async {
        await Program.run(flags) { values, log in
            let environment = Environment.system(log: log)
            let listen = try values.text("http-listen-addr")
            try Loopback.check(listen, isAllowedAnyway: values.isSet("insecure"), flag: "--http-listen-addr")
            let api = try values.text("ateapi-address")
            let credentials = try TLSFlags.client("ateapi", values)
            let channel = Channel(target: api, credentials: credentials)
            let metrics = MetricRegistry()
            ProcessMetrics.add(to: metrics)
            let activity = RouterActivity(environment: environment, metrics)
            let probe = APIProbe(channel, environment: environment, metrics)
            let status = try StatusListener(
                values, RouterStatus(activity: activity, api: probe, address: listen).source(metrics))
            var options = ResolverOptions()
            options.budget = try values.duration("resume-budget")
            options.maximumWaiting = try values.number("max-waiting")
            options.maximumWaitingPerActor = try values.number("max-waiting-per-actor")
            OpenFiles.raiseLimit()
            let resolver = ActorResolver(
                channel: channel, headers: try TokenFlag.headers("ateapi", values, to: api, over: credentials),
                environment: environment,
                options: options)
            let endpoint = ResolveEndpoint(resolver: resolver, activity: activity)
            let server = try HTTPServer(
                host: "127.0.0.1", port: try values.number("endpoint-port"),
                connectionLimit: options.endpointConnections
            ) { request in
                await endpoint.answer(request)
            }
            let nginx = Nginx(
                listen: listen, endpoint: "127.0.0.1:\(server.port)", directory: try values.text("state-dir"),
                program: try values.text("nginx"), options: options)
            log.info("routing", ["address": .string(listen), "endpoint": .string("127.0.0.1:\(server.port)")])
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await resolver.run() }
                group.addTask { await server.run() }
                group.addTask { await probe.run() }
                group.addTask { await status.run() }
                group.addTask { try await nginx.run(log) }
                defer { group.cancelAll() }
                try await group.next()
            }
        }
    }

    private static var flags: Flags {
        var flags = Flags(
            program: "atenet",
            summary:
                "The router: takes HTTP requests for <actor>[.<atespace>].\(HostName.domain), brings the actor up where needed, and passes them on, through an nginx that it runs."
        )
        flags.text(
            "http-listen-addr", "ADDRESS", default: "127.0.0.1:8000",
            help: "Where clients connect, ip:port. Without TLS, so loopback only.")
        flags.toggle(
            "insecure",
            help:
                "Allows --http-listen-addr and --status-listen-addr to be other addresses than loopback although there is no TLS."
        )
        StatusListener.declare(default: "127.0.0.1:8001", in: &flags)
        flags.text("ateapi-address", "ADDRESS", default: "127.0.0.1:7300", help: "The control plane's API, host:port.")
        TLSFlags.declareClient("ateapi", of: "ateapi", in: &flags)
        TokenFlag.declare("ateapi", of: "ateapi", in: &flags)
        flags.text(
            "state-dir", "DIRECTORY", default: "/var/lib/substrate/atenet",
            help: "For nginx's configuration and temporary files.")
        flags.text("nginx", "PROGRAM", default: "nginx", help: "The nginx to run; it needs the auth_request module.")
        flags.number(
            "endpoint-port", 0...65535, default: 0,
            help: "Loopback port on which nginx asks us; 0 lets the system choose.")
        flags.duration(
            "resume-budget", default: "15s",
            help: "How long a request waits for its actor with all attempts to resume it.")
        flags.number(
            "max-waiting", 1...100_000, default: 10_000,
            help:
                "How many requests may wait for actors at the same time. nginx and the endpoint are given the connections."
        )
        flags.number(
            "max-waiting-per-actor", 1...100_000, default: 1_000,
            help:
                "How many of them may wait for the same actor, so that one that does not come up leaves room for others."
        )
        Logging.declare(in: &flags)
        return flags
    }
}
