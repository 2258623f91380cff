import GRPC
import Synchronization
import TestKit
import Testing

@Suite struct UnaryTests {
    @Test func messagesOfAllSizesSurviveTheTrip() async throws {
        try await withServer([echo]) { channel, _ in
            for size in [0, 1, 23, 24, 25, 4096, 65_537, 3 << 20] {
                let sent = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
                let received = try await channel.unary(echo.method, Message(sent), timeout: .seconds(10))
                #expect(received.bytes == sent)
            }
        }
    }

    @Test func aMessageCanBeSentAgain() async throws {
        try await withServer([echo]) { channel, _ in
            for size in [3, 5000] {
                let message = Message([UInt8](repeating: 7, count: size))
                for _ in 0..<3 {
                    let received = try await channel.unary(echo.method, message, timeout: .seconds(10))
                    #expect(received.bytes == message.bytes && received.count == size)
                }
            }
        }
    }

    @Test func headersGoThereAndTrailersComeBack() async throws {
        let method = ServerMethod(Method("/test.Echo/Headers")) { _, call in
            var metadata = Metadata()
            metadata.append("bytes-bin", binary: call.metadata.binary("sent-bin") ?? [])
            call.addTrailer("extra", "trailer")
            throw Status(code: .aborted, message: call.metadata["sent"] ?? "none", metadata: metadata)
        }
        try await withServer([method]) { channel, _ in
            var metadata: Metadata = ["sent": "text"]
            metadata.append("sent-bin", binary: [0, 255, 7])
            let error = await #expect(throws: RPCError.self) {
                try await channel.unary(method.method, Message([]), metadata: metadata, timeout: .seconds(10))
            }
            let status = try #require(error?.status)
            #expect(status.code == .aborted)
            #expect(status.message == "text")
            #expect(status.metadata.binary("bytes-bin") == [0, 255, 7])
            #expect(status.metadata["extra"] == "trailer")
        }
    }

    @Test func statusMessagesKeepTheirUnicode() async throws {
        let method = ServerMethod(Method("/test.Echo/Fail")) { _, _ in
            throw Status(code: .failedPrecondition, message: "größer als 100 %")
        }
        try await withServer([method]) { channel, _ in
            let error = await #expect(throws: RPCError.self) {
                try await channel.unary(method.method, Message([]), timeout: .seconds(10))
            }
            #expect(error == .failed(Status(code: .failedPrecondition, message: "größer als 100 %")))
        }
    }

    @Test func anUnknownMethodIsUnimplemented() async throws {
        try await withServer([echo]) { channel, _ in
            let error = await #expect(throws: RPCError.self) {
                try await channel.unary(Method("/test.Echo/Nothing"), Message([]), timeout: .seconds(10))
            }
            #expect(error?.code == .unimplemented)
            #expect(error?.status.message == "unknown method /test.Echo/Nothing")
        }
    }

    @Test func anIllegalHeaderMeansThatTheCallNeverStarted() async throws {
        try await withServer([echo]) { channel, _ in
            let error = await #expect(throws: RPCError.self) {
                try await channel.unary(
                    echo.method, Message([]), metadata: ["Not Legal": "x"], timeout: .seconds(10))
            }
            guard case .notStarted = error else {
                Issue.record("expected notStarted, got \(String(describing: error))")
                return
            }
        }
    }

    @Test func nobodyListeningIsUnavailable() async throws {
        // Port 1 is assigned to a service that nobody has run for decades.
        let channel = Channel(target: "127.0.0.1:1", credentials: .insecure)
        let error = await #expect(throws: RPCError.self) {
            try await channel.unary(echo.method, Message([]), timeout: .seconds(10))
        }
        #expect(error?.code == .unavailable)
    }

    @Test func theDeadlineEndsTheCallOnBothSides() async throws {
        let cancelled = Mutex(false)
        let method = ServerMethod(Method("/test.Echo/Hang")) { _, call in
            #expect(call.deadline != nil)
            do {
                try await Task.sleep(for: .seconds(60))
            } catch {
                cancelled.withLock { $0 = true }
            }
            throw Status(code: .internal, message: "too late for anyone")
        }
        try await withServer([method, echo]) { channel, _ in
            // Connected, so that the deadline finds the call with the handler and not on its way.
            _ = try await channel.unary(echo.method, Message([]), timeout: .seconds(10))
            let error = await #expect(throws: RPCError.self) {
                try await channel.unary(method.method, Message([]), timeout: .seconds(1))
            }
            #expect(error?.code == .deadlineExceeded)
            try await eventually("the handler is cancelled") { cancelled.withLock { $0 } }
        }
    }

    @Test func cancellingTheTaskEndsTheCallOnBothSides() async throws {
        let gate = Gate()
        let cancelled = Mutex(false)
        let method = ServerMethod(Method("/test.Echo/Hang")) { _, _ in
            await gate.pass()
            if Task.isCancelled { cancelled.withLock { $0 = true } }
            return Message([])
        }
        try await withServer([method]) { channel, _ in
            let call = Task { try await channel.unary(method.method, Message([]), timeout: .seconds(60)) }
            try await gate.waitForArrival()
            call.cancel()
            let error = await #expect(throws: RPCError.self) { try await call.value }
            #expect(error?.code == .cancelled)
            try await eventually("the handler is cancelled") { cancelled.withLock { $0 } }
        }
    }

    @Test func tooLargeARequestIsRefusedAndTheServerLivesOn() async throws {
        try await withServer([echo]) { channel, _ in
            let error = await #expect(throws: RPCError.self) {
                try await channel.unary(
                    echo.method, Message([UInt8](repeating: 7, count: 5 << 20)), timeout: .seconds(10))
            }
            #expect(error?.code == .resourceExhausted)
            let received = try await channel.unary(echo.method, Message([1, 2]), timeout: .seconds(10))
            #expect(received.bytes == [1, 2])
        }
    }

    @Test func callsBeyondTheLimitAreRefused() async throws {
        let gate = Gate()
        let method = ServerMethod(Method("/test.Echo/Hang")) { _, _ in
            await gate.pass()
            return Message([])
        }
        var options = ServerOptions()
        options.maximumConcurrentCalls = 2
        try await withServer([method, echo], options: options) { channel, _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        _ = try? await channel.unary(method.method, Message([]), timeout: .seconds(60))
                    }
                }
                try await gate.waitForArrival(2)
                let error = await #expect(throws: RPCError.self) {
                    try await channel.unary(echo.method, Message([]), timeout: .seconds(10))
                }
                #expect(error?.code == .resourceExhausted)
                group.cancelAll()
            }
            try await eventually("the limit is free again") {
                (try? await channel.unary(echo.method, Message([]), timeout: .seconds(10))) != nil
            }
        }
    }

    @Test func aStoppingServerLetsRunningCallsFinish() async throws {
        let gate = Gate()
        let method = ServerMethod(Method("/test.Echo/Slow")) { _, _ in
            await gate.pass()
            return Message([42])
        }
        let server = try Server(address: "127.0.0.1:0", credentials: .insecure, methods: [method])
        let serving = Task { await server.run() }
        let channel = Channel(target: "127.0.0.1:\(server.port)", credentials: .insecure)
        let call = Task { try await channel.unary(method.method, Message([]), timeout: .seconds(30)) }
        try await gate.waitForArrival()
        serving.cancel()
        gate.open()
        #expect(try await call.value.bytes == [42])
        await serving.value
        let error = await #expect(throws: RPCError.self) {
            try await channel.unary(method.method, Message([]), timeout: .seconds(10))
        }
        #expect(error?.code == .unavailable)
    }

    @Test func aStoppingServerCancelsCallsAfterTheGracePeriod() async throws {
        let gate = Gate()
        let method = ServerMethod(Method("/test.Echo/Hang")) { _, _ in
            await gate.pass()
            return Message([])
        }
        var options = ServerOptions()
        options.gracePeriod = .milliseconds(20)
        let server = try Server(
            address: "127.0.0.1:0", credentials: .insecure, methods: [method], options: options)
        let serving = Task { await server.run() }
        let channel = Channel(target: "127.0.0.1:\(server.port)", credentials: .insecure)
        let call = Task { try await channel.unary(method.method, Message([]), timeout: .seconds(30)) }
        try await gate.waitForArrival()
        serving.cancel()
        await serving.value
        let error = await #expect(throws: RPCError.self) { try await call.value }
        #expect(error?.code == .unavailable)
    }

    @Test func aTakenPortIsSaid() async throws {
        try await withServer([echo]) { _, server in
            let error = #expect(throws: ServerError.self) {
                try Server(address: "127.0.0.1:\(server.port)", credentials: .insecure, methods: [echo])
            }
            #expect("\(String(describing: error))".contains("cannot listen on 127.0.0.1:\(server.port)"))
        }
    }

    @Test func aMethodRegisteredTwiceIsSaid() async throws {
        #expect(throws: ServerError.self) {
            try Server(address: "127.0.0.1:0", credentials: .insecure, methods: [echo, echo])
        }
    }

    @Test func everyCompletedCallIsReported() async throws {
        let reported = Mutex<[String]>([])
        var options = ServerOptions()
        options.onCompleted = { call in
            reported.withLock { $0.append("\(call.method.path) \(call.status.code.name)") }
        }
        let failing = ServerMethod(Method("/test.Echo/Fail")) { _, _ in throw Status(code: .notFound, message: "") }
        try await withServer([echo, failing], options: options) { channel, _ in
            _ = try await channel.unary(echo.method, Message([]), timeout: .seconds(10))
            _ = try? await channel.unary(failing.method, Message([]), timeout: .seconds(10))
        }
        #expect(reported.withLock { $0 } == ["/test.Echo/Echo OK", "/test.Echo/Fail NOT_FOUND"])
    }
}
