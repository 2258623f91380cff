import ControlAPI
import Etcd
import GRPC
import HTTP
import LocalCluster
import Metrics
import ProgramKit
import Router
import ServiceKit
import StandardServices
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

/// Every metric of the router moves, and of what the programs have in common.
@Suite struct ProgramMetricsTests {
    private let registry = MetricRegistry()

    @Test func everyMetricOfAnEtcdClientMoves() async throws {
        let metrics = EtcdCallMetrics(registry)
        let moved = MovedMetrics(registry)
        try await TestEtcd.withServer { server in
            let proxy = try FaultProxy(target: server.endpoint)
            var options = EtcdOptions()
            options.hooks.measure = metrics.note
            // Nobody listens at the first endpoint.
            let client = EtcdClient(endpoints: ["127.0.0.1:1", proxy.endpoint], options: options)
            let revision = try await client.put("a", [1])
            let events = Tally()
            try await running({
                for try await _ in client.watch(.key("a"), from: revision + 1) { events.add() }
            }) {
                try await client.put("a", [2])
                try await eventually("the watch works") { events.count > 0 }
                await server.kill()
                try await server.restart()
                try await eventually("the watch goes on") {
                    _ = try? await client.put("a", [3])
                    return moved.look()["ate_etcd_watches_resumed_total"] ?? 0 > 0
                }
            }
        }
        moved.look()
        #expect(moved.still == [])
        let samples = MetricSamples(registry.exposition)
        #expect(samples["ate_etcd_call_duration_seconds_count{method=\"Put\",outcome=\"ok\"}"] ?? 0 >= 2)
        #expect(samples["ate_etcd_call_duration_seconds_count{method=\"Put\",outcome=\"unavailable\"}"] ?? 0 >= 1)
        #expect(samples["ate_etcd_retries_total{method=\"Put\"}"] ?? 0 >= 1)
    }

    @Test func everyMetricOfEtcdsHealthMoves() async throws {
        try await TestEtcd.withServer(arguments: ["--quota-backend-bytes", "1048576"]) { server in
            let client = server.client()
            let health = EtcdHealth(client, environment: .test(), interval: .milliseconds(20))
            health.addReadings(to: registry)
            let moved = MovedMetrics(registry)
            let member = "{member=\"\(server.endpoint)\"}"
            try await running(health.run) {
                try await eventually("it is up") { moved.look()["ate_etcd_member_up\(member)"] == 1 }
                var isFull = false
                for _ in 0..<2000 where !isFull {
                    do {
                        try await client.put("a", [UInt8](repeating: 7, count: 100_000))
                    } catch let error as EtcdError {
                        isFull = error.code == .noSpace
                    }
                }
                try await eventually("its alarm is told") {
                    let samples = moved.look()
                    return samples["ate_etcd_alarms{kind=\"nospace\"}"] == 1
                        && samples["ate_etcd_alarms{kind=\"corrupt\"}"] == 0
                        && samples["ate_etcd_database_bytes\(member)"] ?? 0 > 1_000_000
                }
                await server.kill()
                try await eventually("it is down") { moved.look()["ate_etcd_member_up\(member)"] == 0 }
            }
            #expect(moved.still == [])
        }
    }

    @Test func everyMetricOfAServerMoves() async throws {
        let method = ServerMethod(ControlMethods.getAtespace) { request, _ in
            if request.name == "none" { throw Status(code: .notFound, message: "none") }
            return AtespaceResponse(name: request.name)
        }
        let server = try Server(
            address: "127.0.0.1:0", credentials: .insecure, methods: [method],
            options: CallLog.serverOptions(.none, CallMetrics(registry, methods: [method])))
        let moved = MovedMetrics(registry)
        try await running(server.run) {
            let channel = Channel(target: "127.0.0.1:\(server.port)", credentials: .insecure)
            for name in ["a", "none"] {
                _ = try? await channel.call(
                    ControlMethods.getAtespace, AtespaceRequest(name: name), timeout: .seconds(10))
            }
            for number in 0..<3 {
                _ = try? await channel.unary(Method("/made.Up/Method\(number)"), Message([]), timeout: .seconds(10))
            }
        }
        let samples = moved.look()
        #expect(moved.still == [])
        func handled(_ service: String, _ method: String, _ code: String) -> Double? {
            samples[
                "grpc_server_handled_total{grpc_service=\"\(service)\",grpc_method=\"\(method)\",grpc_code=\"\(code)\"}"
            ]
        }
        #expect(handled("ateapi.Control", "GetAtespace", "OK") == 1)
        #expect(handled("ateapi.Control", "GetAtespace", "NOT_FOUND") == 1)
        // Whatever clients make up is one series.
        #expect(handled("unknown", "unknown", "UNIMPLEMENTED") == 3)
    }

    @Test func everyMetricOfTheRouterMoves() async throws {
        let gate = Gate()
        let readiness = Readiness()
        readiness.set(true)
        let place = ActorAddress(ip: "127.0.0.1", port: 80)
        let api = try PlayedAPI(others: Health(of: [], readiness).methods) { ref in
            if ref.name == "nobody" { throw Status(code: .notFound, message: "not found") }
            await gate.pass()
            return place
        }
        let channel = Channel(target: api.address, credentials: .insecure)
        let activity = RouterActivity(environment: .test(), registry)
        let probe = APIProbe(channel, environment: .test(), interval: .milliseconds(20), registry)
        let resolver = ActorResolver(channel: channel, environment: .test())
        resolver.addReadings(to: registry)
        let endpoint = ResolveEndpoint(resolver: resolver, activity: activity)
        let moved = MovedMetrics(registry)
        @Sendable func ask(_ host: String, _ headers: [String: String] = [:]) async -> HTTPResponse {
            let request = HTTPRequest(
                method: "GET", path: ResolveEndpoint.nginxPath,
                headers: headers.merging([ResolveEndpoint.hostHeader: "\(host).\(HostName.domain)"]) { $1 })
            if let answer = endpoint.answerAtOnce(request) { return answer }
            return await endpoint.answer(request)
        }
        try await api.serving {
            try await running(resolver.run) {
                try await running(probe.run) {
                    async let first = ask("alice")
                    async let second = ask("alice")
                    try await eventually("two wait for one actor, and ateapi serves") {
                        let samples = moved.look()
                        return samples["ate_router_waiting_requests"] == 2
                            && samples["ate_router_waiting_actors"] == 1 && samples["ate_router_api_up"] == 1
                    }
                    gate.open()
                    #expect(await first.status == 200)
                    #expect(await second.status == 200)
                    #expect(await ask("nobody").headers[ResolveEndpoint.statusHeader] == "404")
                    #expect(await ask("example.org/").headers[ResolveEndpoint.statusHeader] == "404")

                    api.place(ActorRef(atespace: Atespace.defaultName, name: "bob"), at: place)
                    try await eventually("bob is known to run") {
                        let samples = moved.look()
                        return samples["ate_router_known_actors"] == 1 && samples["ate_router_table_believed"] == 1
                    }
                    #expect(await ask("bob").status == 200)
                    try await eventually("it is reported that he was asked for") {
                        moved.look()["ate_router_served_reports_total"] == 1
                    }
                    #expect(
                        await ask(
                            "bob",
                            [ResolveEndpoint.roundHeader: "9", ResolveEndpoint.destinationHeader: "\(place)"]
                        )
                        .headers[ResolveEndpoint.statusHeader] == "503")
                    readiness.set(false)
                    try await eventually("ateapi says that it does not serve") {
                        moved.look()["ate_router_api_up"] == 0
                    }
                }
            }
        }
        let samples = moved.look()
        #expect(moved.still == [])
        #expect(samples["ate_router_requests_total{result=\"routed\"}"] == 3)
        #expect(samples["ate_router_requests_total{result=\"404\"}"] == 2)
        #expect(samples["ate_router_requests_total{result=\"503\"}"] == 1)
        #expect(samples["ate_router_table_answers_total"] == 1)
        // One for the two that wait together, and one for nobody.
        #expect(samples["ate_router_resume_calls_total"] == 2)
        #expect(samples["ate_router_failed_connections_total"] == 1)
        #expect(samples["ate_router_waiting_requests"] == 0)
    }
}
