import HTTP
import Metrics
import ProgramKit
import ServiceKit
import StatusPage
import TestKit
import Testing

/// Where the status page may be, and what a mistake says.
@Suite struct StatusListenerTests {
    private func listener(_ arguments: [String], _ log: LogRecorder = LogRecorder()) throws -> StatusListener {
        var flags = Flags(program: "test", summary: "")
        flags.toggle("insecure", help: "")
        StatusListener.declare(default: "127.0.0.1:0", in: &flags)
        guard case .values(let values) = try flags.parse(arguments) else { throw FlagError("help") }
        let source = StatusSource(
            metrics: MetricRegistry(), environment: .test(log: log.log), hindrances: { [] },
            changes: { AsyncStream { _ in } }, report: { _ in StatusReport(program: "test", name: "") })
        return try StatusListener(values, source)
    }

    private func refusal(_ arguments: [String]) -> String {
        do {
            _ = try listener(arguments)
            return "accepted"
        } catch {
            return "\(error)"
        }
    }

    /// The address that the log says.
    private func address(_ log: LogRecorder) throws -> String {
        let line = try #require(log.lines.first { $0.message == "status page" })
        return try #require(line.fields.first { $0.0 == "address" }?.1.text()).filter { $0 != "\"" }
    }

    @Test func itServesAtTheAddressThatTheLogSays() async throws {
        let log = LogRecorder()
        let listener = try listener([], log)
        let address = try address(log)
        try await running(listener.run) {
            let answer = try await HTTPClient.send("GET", "http://\(address)/readyz", timeout: .seconds(10))
            #expect(answer.text == "ok\n")
        }
    }

    @Test func onlyLoopbackIsListenedOnUnlessToldOtherwise() throws {
        #expect(refusal(["--status-listen-addr", "0.0.0.0:0"]).contains("is not a loopback address"))
        #expect(refusal(["--status-listen-addr", "0.0.0.0:0", "--insecure"]) == "accepted")
        #expect(refusal(["--status-listen-addr", "localhost:0"]) == "accepted")
    }

    @Test func mistakesNameTheFlag() throws {
        for address in ["127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "[::1]:0"] {
            #expect(refusal(["--status-listen-addr", address]).hasPrefix("--status-listen-addr"), "\(address)")
        }
        let log = LogRecorder()
        let first = try listener([], log)
        #expect(refusal(["--status-listen-addr", try address(log)]).contains("Address already in use"))
        withExtendedLifetime(first) {}
    }

    @Test func itCanBeSwitchedOff() async throws {
        let log = LogRecorder()
        let listener = try listener(["--status-listen-addr", "none"], log)
        #expect(log.lines.isEmpty)
        // It waits for its end all the same, as one that serves.
        let ended = Flag()
        try await running({
            await listener.run()
            ended.set()
        }) { #expect(!ended.isSet) }
        #expect(ended.isSet)
    }
}
