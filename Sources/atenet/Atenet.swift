import GRPC
import HTTP
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
            let options = try RouterFlags.options(values)
            OpenFiles.raiseLimit()
            let resolver = ActorResolver(
                channel: channel, headers: try TokenFlag.headers("ateapi", values, to: api, over: credentials),
                environment: environment, options: options)
            let endpoint = ResolveEndpoint(resolver: resolver)
            let server = try HTTPServer(
                host: "127.0.0.1", port: try values.number("endpoint-port"),
                connectionLimit: options.endpointConnections, atOnce: endpoint.answerAtOnce
            ) { request in
                await endpoint.answer(request)
            }
            let settings = try RouterFlags.settings(values, endpoint: "127.0.0.1:\(server.port)", options)
            let proxy = try RouterFlags.proxy(values, settings)
            log.info("routing", settings.logFields)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await resolver.run() }
                group.addTask { await server.run() }
                group.addTask { try await proxy.run(environment) }
                defer { group.cancelAll() }
                try await group.next()
            }
        }
    }
}
