import Foundation
import HTTP
import LocalCluster
import Metrics
import Processes
import SubstrateModel
import TestKit
import Testing

/// The real programs: what they expose, what their pages show in a real browser, and how a trace goes through them.
@Suite(.serialized) struct StackTests {
    private static let programs =
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path

    /// Runs a whole system beside `body`, with an actor that runs.
    private func withStack(_ shape: LocalStack.Shape, _ body: (LocalStack) async throws -> Void) async throws {
        let directory = TemporaryDirectory()
        let stack = try await LocalStack.start(
            shape, directory: directory.path, programs: Self.programs, addressBlock: 200 + Int(getpid()) % 50)
        do {
            let example = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent("examples/counter.yaml").path
            try await atectl(stack, "apply", "-f", try stack.manifest(of: example))
            try await atectl(stack, "create", "actor", "alice", "--template", "default/counter")
            try await body(stack)
        } catch {
            await stack.stop()
            throw error
        }
        await stack.stop()
        withExtendedLifetime(directory) {}
    }

    private func atectl(_ stack: LocalStack, _ arguments: String...) async throws {
        let result = try await stack.atectl(arguments)
        guard result.status == .exited(code: 0) else {
            throw ClusterError("atectl \(arguments.joined(separator: " ")): \(result.output)")
        }
    }

    private func ask(_ stack: LocalStack, _ actor: String, headers: [String: String] = [:]) async throws -> HTTPResponse
    {
        let host = "\(actor).actors.resources.substrate.ate.dev"
        return try await HTTPClient.send(
            "GET", "http://\(stack.routerAddress)/", headers: headers.merging(["Host": host]) { $1 },
            timeout: .seconds(30))
    }

    private func get(_ stack: LocalStack, _ program: String, _ path: String) async throws -> HTTPResponse {
        let address = try #require(stack.statusAddress(of: program))
        return try await HTTPClient.send(
            "GET", "http://\(address)\(path)", timeout: .seconds(10), maximumBody: 4 << 20)
    }

    @Test func theProgramsExposeWhatIsDocumentedAndAreReady() async throws {
        try await withStack(LocalStack.Shape(nodes: 1, replicas: 2)) { stack in
            #expect(try await ask(stack, "alice").status == 200)
            for (program, definitions) in AllMetrics.ofEachProgram {
                let name = program == "atelet" ? "atelet-\(stack.nodes[0])" : program
                for path in ["/healthz", "/readyz"] {
                    try await eventually("\(program) is well") { try await get(stack, name, path).status == 200 }
                }
                let metrics = try await get(stack, name, "/metrics")
                #expect(metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
                let named = metrics.text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
                    .map { String($0.split(separator: " ")[2]) }
                #expect(named == definitions.map(\.name), "\(program)")
                if Promtool.isThere { try await Promtool.run(["check", "metrics"], input: metrics.text) }
                let page = try await get(stack, name, "/statusz?format=json")
                let report = try #require(try JSONSerialization.jsonObject(with: Data(page.body)) as? [String: Any])
                #expect(report["program"] as? String == program)
            }
            try await replicasAgree(stack)
        }
    }

    /// The leader counts the actors by its watch on them, the other by what etcd counts and by the workers.
    private func replicasAgree(_ stack: LocalStack) async throws {
        try await atectl(stack, "create", "actor", "bob", "--template", "default/counter")
        func samples(_ replica: String) async throws -> MetricSamples {
            MetricSamples(try await get(stack, replica, "/metrics").text)
        }
        try await eventually("the leader counts") {
            let metrics = try await samples("ateapi")
            return metrics["ate_leader"] == 1 && metrics["ate_actors{status=\"running\"}"] == 1
                && metrics["ate_actors{status=\"suspended\"}"] == 1 && metrics["ate_stranded_actors"] == 0
        }
        let other = try await samples("ateapi-2")
        #expect(other["ate_leader"] == 0 && other["ate_actors{status=\"running\"}"] == nil)
        for replica in ["ateapi", "ateapi-2"] {
            let metrics = try await samples(replica)
            #expect(metrics["ate_workers{state=\"running\"}"] == 1 && metrics["ate_workers{state=\"free\"}"] == 1)
            #expect(metrics["ate_session_margin_seconds"] ?? -1 > 0)
            let page = try await get(stack, replica, "/statusz?format=json").text
            #expect(page.contains(replica == "ateapi" ? "\"suspended\"" : "\"at rest\""))
            #expect(page.contains(replica == "ateapi" ? "\"this replica\"" : "\"value\": \"replica "))
        }
    }

    @Test func aTraceIsPassedOnAndNamedInEveryLog() async throws {
        try await withStack(LocalStack.Shape(nodes: 1)) { stack in
            let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
            let answer = try await ask(
                stack, "alice", headers: ["traceparent": "00-\(trace)-00f067aa0ba902b7-01", "tracestate": "a=b"])
            #expect(answer.status == 200)
            // One that names no trace is as good as none.
            _ = try await ask(stack, "alice", headers: ["traceparent": "00-\(trace)-0000000000000000-01"])
            func lines(_ program: String) -> [String] {
                let log = FileManager.default.contents(atPath: "\(stack.directory)/logs/\(program).log") ?? Data()
                return String(decoding: log, as: UTF8.self).split(separator: "\n").map(String.init)
                    .filter { $0.contains("\"trace\":\"\(trace)\"") }
            }
            try await eventually("both have logged it") {
                lines("ateapi").contains { $0.contains("/ResumeActor") }
                    && lines("atelet-\(stack.nodes[0])").contains { $0.contains("AteomHerder/") }
            }
            #expect(lines("ateapi").count { $0.contains("/ResumeActor") } == 1)
            #expect(lines("atelet-\(stack.nodes[0])").contains { $0.contains("started an actor") })
            // The router has nothing to say of what goes well.
            _ = try await ask(stack, "nobody", headers: ["traceparent": "00-\(trace)-00f067aa0ba902b7-01"])
            try await eventually("the router names it where something fails") {
                lines("atenet").contains { $0.contains("could not bring an actor up") }
            }
        }
    }

    /// With SUBSTRATE_SCREENSHOTS=<directory> the pictures stay there, for people.
    @Test(.enabled(if: Browser.isThere, "chromium and its driver are not there: scripts/deps monitoring"))
    func thePagesWorkInARealBrowserAndShowAReleaseLive() async throws {
        let files = TemporaryDirectory()
        let pictures = ProcessInfo.processInfo.environment["SUBSTRATE_SCREENSHOTS"] ?? files.path
        try await withStack(LocalStack.Shape(nodes: 2)) { stack in
            let api = try #require(stack.statusAddress(of: "ateapi"))
            try await Browser.running(in: files.path) { browser in
                try await browser.open("http://\(api)/statusz")
                try await eventually("the page is live") {
                    let text = try await browser.text()
                    return text.contains("live") && text.contains("node-a-0") && text.contains("members answer")
                }
                #expect(try await ask(stack, "alice").status == 200)
                let node = try await eventualValue("the page shows where alice runs") {
                    let row = try await browser.run(
                        "return [...document.querySelectorAll('tr')].map(row => row.innerText)"
                            + ".find(text => text.includes('default/alice') && text.includes('running')) || ''")
                    return (row as? String).flatMap { $0.isEmpty ? nil : $0 }
                }
                let victim = node.contains("node-a") ? "node-a" : "node-b"
                let isFirst = "return document.querySelector('#lists section').innerText"
                let before = try await browser.run(isFirst) as? String ?? ""
                #expect(before.hasPrefix("Releases") && before.contains("none"))
                await stack.killNode(victim)
                do {
                    try await eventually("the page shows the release") {
                        let now = try await browser.run(isFirst) as? String ?? ""
                        return now.contains("default/alice") && now.contains("released")
                            && now.contains("its node is gone")
                    }
                } catch {
                    throw DidNotHappen(description: "\(error); the page says: \(try await browser.text())")
                }
                try await filter(browser)
                try await take(browser, "ateapi", pictures)
                try await widths(browser)

                _ = try await ask(stack, "alice")
                _ = try await ask(stack, "nobody")
                let router = try #require(stack.statusAddress(of: "atenet"))
                try await browser.open("http://\(router)/statusz")
                try await eventually("the router's page is live") {
                    let text = try await browser.text()
                    return text.contains("live") && text.contains("nobody") && text.contains("serves")
                }
                try await take(browser, "atenet", pictures)
                let survivor = try #require(stack.nodes.first { $0 != victim })
                let agent = try #require(stack.statusAddress(of: "atelet-\(survivor)"))
                try await browser.open("http://\(agent)/statusz")
                try await eventually("the node's page is live") { try await browser.text().contains("live") }
                try await take(browser, "atelet", pictures)
                #expect(try await browser.console() == [])
            }
        }
    }

    /// What is typed into the box is looked for, and never becomes part of the page.
    private func filter(_ browser: Browser) async throws {
        func type(_ text: String) async throws {
            let quoted = String(decoding: try JSONEncoder().encode([text]), as: UTF8.self)
            _ = try await browser.run(
                "const box = document.getElementById('filter'); box.value = \(quoted)[0]; "
                    + "box.dispatchEvent(new Event('input'))")
        }
        try await type("<img src=x onerror=alert(1)>")
        try await eventually("nothing matches") { try await browser.text().contains("none that matches") }
        #expect(try await browser.run("return document.images.length") as? Int == 0)
        try await type("")
        try await eventually("everything is back") { try await browser.text().contains("default/alice") }
    }

    private func widths(_ browser: Browser) async throws {
        for width in [400, 1600] {
            try await browser.look(width: width, height: 900, isDark: false)
            let inside = try await browser.run("return document.documentElement.scrollWidth") as? Int
            #expect(inside == width, "nothing sticks out at \(width)")
        }
    }

    private func take(_ browser: Browser, _ name: String, _ directory: String) async throws {
        for (width, isDark) in [(400, false), (400, true), (1600, false), (1600, true)] {
            try await browser.look(width: width, height: width == 400 ? 1400 : 1000, isDark: isDark)
            let file = "\(directory)/\(name)-\(width)-\(isDark ? "dark" : "light").png"
            try await browser.screenshot(to: file)
            let size = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int
            #expect(size ?? 0 > 5000)
        }
    }
}
