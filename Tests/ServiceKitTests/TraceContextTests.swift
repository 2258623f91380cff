import ServiceKit
import TestKit
import Testing

/// W3C Trace Context: what is taken, what is ignored, and where the trace is known.
@Suite struct TraceContextTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let valid = "00-\(trace)-00f067aa0ba902b7-01"

    @Test func aHeaderThatNamesATraceIsKeptAsItIs() throws {
        let context = try #require(TraceContext(parent: Self.valid, state: "vendor=1,other=2"))
        #expect(context.parent == Self.valid && context.traceID == Self.trace && context.state == "vendor=1,other=2")
        // A later version may have more behind the flags.
        #expect(TraceContext(parent: "01-\(Self.trace)-00f067aa0ba902b7-00-more")?.traceID == Self.trace)
    }

    @Test(arguments: [
        "", "00", "00-\(trace)-00f067aa0ba902b7", "ff-\(trace)-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-\(trace)-0000000000000000-01",
        "00-\(trace.uppercased())-00f067aa0ba902b7-01", "00-\(trace)-00f067aa0ba902b7-0g",
        "00_\(trace)-00f067aa0ba902b7-01", "00-\(trace)-00f067aa0ba902b7-01-more", "00-\(trace)-00f067aa0ba902b7-01 ",
        "01-\(trace)-00f067aa0ba902b7-00more", "01-\(trace)-00f067aa0ba902b7-00-a\nb",
        "zz-\(trace)-00f067aa0ba902b7-00",
        "01-\(trace)-00f067aa0ba902b7-00-" + String(repeating: "x", count: 100),
    ])
    func whatNamesNoneIsIgnored(_ header: String) {
        #expect(TraceContext(parent: header) == nil)
    }

    @Test func aStateThatCannotBePassedOnIsLeftOut() {
        for state in ["", "a=\n", "a=\u{e4}", String(repeating: "x", count: 513)] {
            let context = TraceContext(parent: Self.valid, state: state)
            #expect(context != nil && context?.state == nil)
        }
    }

    @Test func linesOfARequestNameItsTraceAlsoWhereAPoolDoesTheWork() async throws {
        let recorder = LogRecorder()
        let log = recorder.log
        let pool = TaskPool()
        try await running(pool.run) {
            await TraceContext.$current.withValue(TraceContext(parent: Self.valid)) {
                log.info("asked", [:])
                _ = await pool.perform { log.info("done", [:]) }
            }
            _ = await pool.perform { log.info("something else", [:]) }
        }
        let traces = recorder.lines.map { line in
            (line.message, line.fields.first { $0.0 == TraceContext.logField }?.1.text())
        }
        #expect(traces.map(\.0) == ["asked", "done", "something else"])
        #expect(traces.map(\.1) == ["\"\(Self.trace)\"", "\"\(Self.trace)\"", nil])
    }
}
