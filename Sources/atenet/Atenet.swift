import GRPC
import HTTP
import Metrics
import ProgramKit
import Router
import ServiceKit

@main
enum Atenet {
    static func main() async {
        await Program.run(RouterFlags.all) { values, log in
            let environment = Environment.system(log: log)
            let api = try values.text("ateapi-address")
            let credentials = try TLSFlags.client("ateapi", values)
            let channel = Channel(target: api, credentials: credentials)
            let metrics = MetricRegistry()
            ProcessMetrics.add(to: metrics)
            let activity = RouterActivity(environment: environment, metrics)
            let probe = APIProbe(channel, environment: environment, metrics)
            let options = try RouterFlags.options(values)
            OpenFiles.raiseLimit()
            let resolver = ActorResolver(
                channel: channel, headers: try TokenFlag.headers("ateapi", values, to: api, over: credentials),
                environment: environment, options: options)
            resolver.addReadings(to: metrics)
            let page = RouterStatus(
                resolver: resolver, activity: activity, api: probe, address: try values.text("http-listen-addr"))
            let status = try StatusListener(values, page.source(metrics))
            let endpoint = ResolveEndpoint(resolver: resolver, activity: activity)
            let server = try HTTPServer(
                host: "127.0.0.1", port: try values.number("endpoint-port"),
                connectionLimit: options.endpointConnections, atOnce: endpoint.answerAtOnce
            ) { request in
                await endpoint.answer(request)
            }
            let settings = try RouterFlags.settings(values, endpoint: "127.0.0.1:\(server.port)", options)
            let proxy = try RouterFlags.proxy(
                values, settings, copying: TableCopy(of: resolver, activity: activity), log)
            log.info("routing", settings.logFields)
            let telling = Task { await tellWhenServing(settings) }
            defer { telling.cancel() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await resolver.run() }
                group.addTask { await server.run() }
                group.addTask { await probe.run() }
                group.addTask { await status.run() }
                group.addTask { try await proxy.run(environment) }
                defer { group.cancelAll() }
                try await group.next()
            }
        }
    }

    /// Tells whoever has started this program once the proxy takes connections.
    private static func tellWhenServing(_ settings: ProxySettings) async {
        guard let address = settings.listen ?? settings.tls?.listen else { return }
        while await !DestinationCheck.takesConnections(address) {
            do { try await Task.sleep(for: .milliseconds(50)) } catch { return }
        }
        Supervisor.ready()
    }
}
