import HTTP
import ServiceKit
import Synchronization
import TestKit
import Testing

/// Answers that are written bit by bit.
@Suite struct HTTPStreamTests {
    private typealias Body = @Sendable (HTTPStreamWriter) async throws -> Void

    /// A server each of whose answers is this stream.
    private func serving(
        lifetime: Duration = .seconds(60), _ body: @escaping Body, _ test: (_ address: String) async throws -> Void
    ) async throws {
        let server = try HTTPServer(host: "127.0.0.1", port: 0, connectionLimit: 50) { _ in
            .stream(HTTPResponse(status: 200, headers: ["X-Kind": "stream"]), lifetime: lifetime, body)
        }
        try await running(server.run) { try await test("127.0.0.1:\(server.port)") }
    }

    private let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    @Test func bytesArriveWhenTheyAreWritten() async throws {
        let turn = Shared(0)
        try await serving { writer in
            for number in 1...3 {
                try await eventually("it is the turn of \(number)") { turn.current >= number }
                try await writer.write(Array("part \(number)\n".utf8), within: .seconds(10))
            }
        } _: { address in
            let connection = try RawHTTP(address, request)
            try await connection.waits(for: "X-Kind: stream")
            for number in 1...3 {
                #expect(!connection.received.contains("part \(number)"))
                turn.set(number)
                try await connection.waits(for: "part \(number)\n")
            }
            // The last chunk, and the connection can take another request.
            try await connection.waits(for: "\r\n0\r\n\r\n")
        }
    }

    @Test func aMegabyteArrivesWhole() async throws {
        try await serving { writer in
            for number in 0..<64 {
                try await writer.write([UInt8](repeating: UInt8(number), count: 32 << 10), within: .seconds(10))
            }
        } _: { address in
            let answer = try await HTTPClient.send(
                "GET", "http://\(address)/", timeout: .seconds(20), maximumBody: 4 << 20)
            #expect(answer.body == (0..<64).flatMap { [UInt8](repeating: UInt8($0), count: 32 << 10) })
        }
    }

    @Test func aReaderThatDoesNotReadIsDropped() async throws {
        let failure = Shared<HTTPStreamError?>(nil)
        let written = Tally()
        try await serving { writer in
            do throws(HTTPStreamError) {
                while true {
                    try await writer.write([UInt8](repeating: 1, count: 1 << 20), within: .milliseconds(200))
                    written.add()
                }
            } catch {
                failure.set(error)
            }
        } _: { address in
            let connection = try RawHTTP(address, request, receiveBuffer: 4096)
            try await eventually("it is found to be too slow") { failure.current == .tooSlow }
            // What waits for it is bounded by one write, and the buffers of the kernel.
            #expect(written.count < 16)
            withExtendedLifetime(connection) {}
        }
    }

    @Test func aWriterHearsThatItsReaderHasGone() async throws {
        let failure = Shared<HTTPStreamError?>(nil)
        try await serving { writer in
            do throws(HTTPStreamError) {
                while true { try await writer.write(Array("more\n".utf8), within: .seconds(10)) }
            } catch {
                failure.set(error)
            }
        } _: { address in
            var connection: RawHTTP? = try RawHTTP(address, request)
            try await connection?.waits(for: "more")
            connection = nil
            try await eventually("the writer ends") { failure.current == .closed }
        }
    }

    @Test func aStreamEndsWhenItsTimeIsOver() async throws {
        let wasCancelled = Flag()
        try await serving(lifetime: .milliseconds(100)) { writer in
            try await writer.write(Array("begin\n".utf8), within: .seconds(10))
            try? await eventually("the time is over", within: .seconds(60)) { Task.isCancelled }
            wasCancelled.set()
        } _: { address in
            let connection = try RawHTTP(address, request)
            try await connection.waits(for: "\r\n0\r\n\r\n")
            #expect(wasCancelled.isSet)
        }
    }

    @Test func aServerThatStopsEndsItsStreams() async throws {
        let began = Tally()
        try await serving { writer in
            try await writer.write(Array("begin\n".utf8), within: .seconds(10))
            began.add()
            for await _ in AsyncStream<Never>.makeStream().stream {}
        } _: { address in
            var connections: [RawHTTP] = []
            for _ in 0..<10 { connections.append(try RawHTTP(address, request)) }
            try await eventually("all have begun") { began.count == 10 }
            withExtendedLifetime(connections) {}
            // Leaving stops the server, which must not hang on those that are parked.
        }
    }

    @Test func aHeadHasNoBodyAndBeginsNothing() async throws {
        let began = Flag()
        try await serving { _ in
            began.set()
        } _: { address in
            let connection = try RawHTTP(
                address, "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            try await connection.waitsForEnd()
            #expect(connection.received.hasPrefix("HTTP/1.1 200"))
            #expect(connection.received.hasSuffix("\r\n\r\n"))
            #expect(!began.isSet)
        }
    }
}
