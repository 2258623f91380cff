import GRPC
import TestKit
import Testing

/// Counts what the process holds, so it runs with nothing beside it.
@Suite(.serialized) struct CallCensusTests {
    @Test func tenThousandCancelledCallsLeaveNothingBehind() async throws {
        let method = ServerMethod(Method("/test.Echo/Hang")) { _, _ in
            try await Task.sleep(for: .seconds(60))
            return Message([])
        }
        try await withServer([method, echo]) { channel, _ in
            // Threads and connections that stay for the life of the process exist after the first call.
            _ = try await channel.unary(echo.method, Message([1]), timeout: .seconds(10))
            let callsBefore = CallCensus.liveCalls
            let before = try ProcessCensus.now()
            for _ in 0..<100 {
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<100 {
                        group.addTask {
                            _ = try? await channel.unary(method.method, Message([1]), timeout: .seconds(60))
                        }
                    }
                    group.cancelAll()
                }
            }
            try await eventually("no live call is left") { CallCensus.liveCalls <= callsBefore }
            // The libraries' own threads, timers and pollers come with the first load, on a busy machine more of them. One
            // per call, or per round of calls, would be a hundred and more.
            try await eventually("no descriptor and no thread per call is left") {
                let now = try ProcessCensus.now()
                return now.descriptors <= before.descriptors + 10 && now.threads <= before.threads + 50
            }
        }
    }
}
