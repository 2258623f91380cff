import GRPC
import TestKit
import Testing

/// Methods with streams: what passes in both directions, and how they end.
@Suite struct ServerStreamTests {
    private let sums = ServerMethod.stream(Method("/test.Streams/Sums")) { stream, _ in
        var sum: UInt8 = 0
        while let message = try await stream.receive() {
            sum &+= message.bytes.reduce(0, &+)
            try await stream.send(Message([sum]))
        }
    }

    @Test func messagesPassInBothDirectionsInOrder() async throws {
        try await withServer([sums]) { channel, _ in
            let call = try channel.stream(sums.method)
            for (number, expected) in [(1, 1), (2, 3), (3, 6)] {
                try await call.send(Message([UInt8(number)]))
                let answer = try await call.receive()
                #expect(answer?.bytes == [UInt8(expected)])
            }
            try await call.finishSending()
            let end = try await call.receive()
            #expect(end == nil)
        }
    }

    @Test func aStreamMayEndWithoutAMessageAndWithAnError() async throws {
        let refusing = ServerMethod.stream(Method("/test.Streams/Refuse")) { _, call in
            call.addTrailer("reason", "none")
            throw Status(code: .failedPrecondition, message: "not today")
        }
        try await withServer([refusing]) { channel, _ in
            let call = try channel.stream(refusing.method)
            let error = await #expect(throws: RPCError.self) { try await call.receive() }
            #expect(error?.code == .failedPrecondition && error?.status.metadata["reason"] == "none")
        }
    }

    @Test func aServerThatStopsEndsItsStreamsAtOnceAndSaysWhy() async throws {
        let started = Gate()
        let endless = ServerMethod.stream(Method("/test.Streams/Endless")) { stream, _ in
            try await stream.send(Message([1]))
            await started.pass()
            while true { try await Task.sleep(for: .seconds(60)) }
        }
        var options = ServerOptions()
        // Longer than the test may take: the stop may not wait for it.
        options.gracePeriod = .seconds(300)
        let server = try Server(
            address: "127.0.0.1:0", credentials: .insecure, methods: [endless], options: options)
        let running = Task { await server.run() }
        let call = try Channel(target: "127.0.0.1:\(server.port)", credentials: .insecure).stream(endless.method)
        let first = try await call.receive()
        #expect(first?.bytes == [1])
        try await started.waitForArrival()
        started.open()
        running.cancel()
        let error = await #expect(throws: RPCError.self) { try await call.receive() }
        #expect(error?.code == .unavailable)
        await running.value
    }

    @Test func aClientThatLeavesCancelsTheHandler() async throws {
        let wasCancelled = Flag()
        let endless = ServerMethod.stream(Method("/test.Streams/Endless")) { stream, _ in
            try await stream.send(Message([1]))
            do { while true { try await Task.sleep(for: .seconds(60)) } } catch { wasCancelled.set() }
        }
        try await withServer([endless]) { channel, _ in
            let call = try channel.stream(endless.method)
            _ = try await call.receive()
            call.cancel()
            try await eventually("the handler is cancelled") { wasCancelled.isSet }
        }
    }
}
