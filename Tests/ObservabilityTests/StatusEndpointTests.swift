import Foundation
import HTTP
import LocalCluster
import Metrics
import ServiceKit
import StatusPage
import Synchronization
import TestKit
import Testing

/// The endpoints for those who look after a program, over real HTTP.
@Suite struct StatusEndpointTests {
    private let registry = MetricRegistry()
    private let changes = Listeners()
    private let hindrances = Shared<[String]>([])
    private let faults = Shared<[String]>([])
    private let rows = Shared<[String]>(["first"])

    private var source: StatusSource {
        let (changes, hindrances, faults, rows) = (changes, hindrances, faults, rows)
        return StatusSource(
            metrics: registry, environment: .test(), faults: { faults.current }, hindrances: { hindrances.current },
            changes: { changes.changes },
            report: { query in
                let wanted = rows.current.filter { query.matches($0) }
                return StatusReport(
                    program: "test", name: "<b>name</b>", facts: [StatusReport.Fact("fact", "value", .good)],
                    counts: [StatusReport.Counts("Things", [("kind", 3, .plain)])],
                    lists: [
                        StatusReport.List(
                            "things", "Things", [.init("name"), .init("when", .time)],
                            rows: wanted.prefix(query.limit).map { [.string($0), 5] }, total: wanted.count)
                    ])
            })
    }

    private func serving(isLocal: Bool = true, _ body: (_ address: String) async throws -> Void) async throws {
        let endpoints = StatusEndpoints(source, isLocal: isLocal)
        let server = try HTTPServer(host: "127.0.0.1", port: 0, connectionLimit: 100, streaming: endpoints.answer)
        try await running(server.run) { try await body("127.0.0.1:\(server.port)") }
    }

    private func get(
        _ address: String, _ path: String, _ method: String = "GET", headers: [String: String] = [:]
    ) async throws -> HTTPResponse {
        try await HTTPClient.send(method, "http://\(address)\(path)", headers: headers, timeout: .seconds(10))
    }

    @Test func onlyWhatThereIsIsAnsweredAndOnlyToReads() async throws {
        try await serving { address in
            for (method, path, status) in [
                ("GET", "/metrics", 200), ("GET", "/healthz", 200), ("GET", "/readyz", 200), ("GET", "/statusz", 200),
                ("GET", "/", 302), ("GET", "/metrics/", 404), ("GET", "/favicon.ico", 404), ("GET", "/statuszz", 404),
                ("GET", "/statusz?limit=0", 400), ("GET", "/statusz?limit=501", 400), ("GET", "/statusz?limit=x", 400),
                ("GET", "/statusz?format=xml", 400), ("GET", "/statusz/events?limit=-1", 400),
                ("GET", "/statusz?filter=" + String(repeating: "x", count: 513), 400), ("POST", "/metrics", 405),
                ("DELETE", "/statusz", 405), ("PUT", "/nothing", 405),
            ] {
                let answer = try await get(address, path, method)
                #expect(answer.status == status, "\(method) \(path)")
                #expect(answer.headers["cache-control"] == "no-store")
                #expect(answer.headers["x-content-type-options"] == "nosniff")
            }
        }
    }

    @Test func healthAndReadinessSayWhatIsMissing() async throws {
        try await serving { address in
            hindrances.set(["no workers", "no session"])
            #expect(try await get(address, "/healthz").status == 200)
            let notReady = try await get(address, "/readyz")
            #expect(notReady.status == 503 && notReady.text == "not ready: no workers; no session\n")
            faults.set(["the runtime makes no progress"])
            let notWell = try await get(address, "/healthz")
            #expect(notWell.status == 503 && notWell.text == "not well: the runtime makes no progress\n")
            hindrances.set([])
            faults.set([])
            #expect(try await get(address, "/readyz").text == "ok\n")
        }
    }

    @Test func thePageCarriesNothingOfTheProgramAndLoadsNothing() async throws {
        try await serving { address in
            let page = try await get(address, "/statusz")
            #expect(page.headers["content-type"] == "text/html; charset=utf-8")
            let policy = try #require(page.headers["content-security-policy"])
            #expect(policy.hasPrefix("default-src 'none'; script-src 'nonce-"))
            #expect(!page.text.contains("name</b>"))
            #expect(
                !page.text.contains("innerHTML") && !page.text.contains("http://") && !page.text.contains("https://"))
            // The nonce is a new one each time.
            #expect(try await get(address, "/statusz").headers["content-security-policy"] != policy)
        }
    }

    @Test func machinesGetTheSameAsJSON() async throws {
        try await serving { address in
            rows.set((0..<300).map { "row \($0)" })
            for (path, accept) in [("/statusz?format=json", "*/*"), ("/statusz", "application/json;q=0.9, text/html")] {
                let answer = try await get(address, path, headers: ["Accept": accept])
                #expect(answer.headers["content-type"] == "application/json")
                let report = try #require(
                    try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
                #expect(report["program"] as? String == "test" && report["name"] as? String == "<b>name</b>")
                let lists = try #require(report["lists"] as? [[String: Any]])
                #expect(lists[0]["total"] as? Int == 300)
                #expect((lists[0]["items"] as? [[String: Any]])?.count == StatusQuery.defaultLimit)
            }
            let filtered = try await get(address, "/statusz?format=json&limit=2&filter=row%201")
            let report = try #require(try JSONSerialization.jsonObject(with: Data(filtered.body)) as? [String: Any])
            let list = try #require((report["lists"] as? [[String: Any]])?.first)
            #expect(list["total"] as? Int == 111 && (list["items"] as? [Any])?.count == 2)
        }
    }

    /// A page of the web whose name resolves to us must not get an answer.
    @Test func onLoopbackOnlyOurOwnNamesAreAnswered() async throws {
        try await serving { address in
            let foreign = try await get(address, "/metrics", headers: ["Host": "evil.example:80"])
            #expect(foreign.status == 421)
            let own = try await get(address, "/metrics", headers: ["Host": "localhost:1"])
            #expect(own.status == 200)
        }
        try await serving(isLocal: false) { address in
            let answer = try await get(address, "/metrics", headers: ["Host": "node.internal"])
            #expect(answer.status == 200)
        }
    }

    @Test func changesComeAsEventsWhileTheyHappen() async throws {
        try await serving { address in
            let stream = try RawHTTP(address, "GET /statusz/events HTTP/1.1\r\nHost: \(address)\r\n\r\n")
            try await stream.waits(for: "first")
            #expect(stream.received.contains("Content-Type: text/event-stream"))
            rows.set(["second"])
            changes.tell()
            try await stream.waits(for: "\"second\"")
            rows.set(["line\nend"])
            changes.tell()
            try await stream.waits(for: "line\\nend")
            // Nothing of what was sent breaks out of its line.
            let lines = stream.received.split(separator: "\n").filter { $0.hasPrefix("data: ") }
            #expect(lines.count == 3 && lines.allSatisfy { $0.contains("\"lists\"") })
        }
    }

    @Test func thereAreOnlySoManyStreams() async throws {
        try await serving { address in
            let request = "GET /statusz/events HTTP/1.1\r\nHost: \(address)\r\n\r\n"
            var streams: [RawHTTP] = []
            for _ in 0..<StatusEndpoints.maximumStreams {
                let stream = try RawHTTP(address, request)
                try await stream.waits(for: "event: status")
                streams.append(stream)
            }
            let oneMore = try RawHTTP(address, request)
            try await oneMore.waits(for: "event: full")
            // A place is free again when a page has been closed.
            streams.removeAll()
            try await eventually("another gets its place") {
                rows.set(["row \(Int.random(in: 0..<1_000_000))"])
                changes.tell()
                let another = try RawHTTP(address, request)
                try await another.waits(for: "event: ")
                return another.received.contains("event: status")
            }
        }
    }
}
