import Foundation
import GRPC
import TestKit
import Testing

/// Connections and calls that begin and never go on. Others are answered meanwhile, and nothing stays of them.
@Suite(.serialized) struct HostileConnectionTests {
    private let connections = 20
    private let callsPerConnection = 500

    private let talk = ServerMethod.stream(Method("/test.Streams/Talk")) { stream, _ in
        while let message = try await stream.receive() { try await stream.send(message) }
    }

    /// Blocks a thread of its own, and not one that handlers run on.
    private func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread { continuation.resume(with: Result { try body() }) }.start()
        }
    }

    /// Ten thousand calls, each of which is one of: headers alone, headers and a part of a message, a stream that says
    /// nothing.
    private func openHalf(_ port: Int) async throws -> [RawConnection] {
        let (connections, calls) = (connections, callsPerConnection)
        return try await blocking {
            try (0..<connections).map { _ in
                let connection = try RawConnection(port: port, from: "127.0.0.2")
                var bytes = HTTP2.preface
                for call in 0..<calls {
                    let stream = 2 * call + 1
                    bytes += HTTP2.headers(call % 3 == 2 ? "/test.Streams/Talk" : "/test.Echo/Echo", stream: stream)
                    if call % 3 == 1 { bytes += HTTP2.beginning(ofMessageOf: 1000, stream: stream, [1, 2, 3]) }
                }
                try connection.send(bytes)
                try connection.waitUntilRead()
                return connection
            }
        }
    }

    private func serveOthers(_ channel: Channel) async throws {
        for number in UInt8(0)..<100 {
            let echoed = try await channel.unary(echo.method, Message([number]), timeout: .seconds(20))
            #expect(echoed.bytes == [number])
        }
        // Streams have places that one address cannot take alone.
        let call = try channel.stream(talk.method, timeout: .seconds(20))
        try await call.send(Message([9]))
        let answer = try await call.receive()
        #expect(answer?.bytes == [9])
        try await call.finishSending()
        _ = try await call.receive()
    }

    @Test func tenThousandHalfOpenCallsKeepNobodyOutAndLeaveNothingBehind() async throws {
        // Fewer places than there are hostile calls of each kind: what is kept for others decides.
        var options = ServerOptions()
        options.maximumConcurrentStreams = 2000
        options.maximumConcurrentCalls = 500
        try await withServer([echo, talk], options: options) { channel, server in
            try await serveOthers(channel)
            let before = try ProcessCensus.now()
            let callsBefore = CallCensus.liveCalls
            var memory: [Int] = [try ProcessCensus.residentBytes()]
            for _ in 0..<3 {
                var hostile = try await openHalf(server.port)
                #expect(hostile.count * callsPerConnection == 10_000)
                try await serveOthers(channel)
                memory.append(try ProcessCensus.residentBytes())
                hostile = []
                try await eventually("no call and no descriptor is left") {
                    let now = try ProcessCensus.now()
                    return CallCensus.liveCalls <= callsBefore && now.descriptors <= before.descriptors + 5
                }
                try await serveOthers(channel)
            }
            print(
                "half-open calls: \((memory[1] - memory[0]) / 10_000) bytes each; resident \(memory.map { $0 >> 20 }) MiB"
            )
            // What allocators keep is used again: the third crowd takes no more than the second.
            #expect(memory[1] - memory[0] < 400 << 20)
            #expect(memory[3] - memory[2] < 24 << 20)
        }
    }

    @Test func connectionsThatDoNotGetToTheirFirstCallAreClosed() async throws {
        let certificates = try await TestCertificates()
        let files = TLSFiles(
            authorities: nil, certificate: certificates.path("server.pem"), privateKey: certificates.path("server.key"))
        // Nothing; the beginning of TLS's first record; of HTTP/2's first line; of its first frame.
        let beginnings: [(ServerCredentials, [UInt8])] = [
            (.tls(files), []), (.tls(files), [0x16, 0x03, 0x01, 0x02]), (.insecure, []),
            (.insecure, Array("PRI * HT".utf8)), (.insecure, Array(HTTP2.preface.dropLast(4))),
        ]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (credentials, bytes) in beginnings {
                group.addTask { try await beginAndGoNoFurther(bytes, credentials, certificates) }
            }
            try await group.waitForAll()
        }
    }

    /// Two hundred connections that send this and nothing more.
    private func beginAndGoNoFurther(
        _ bytes: [UInt8], _ credentials: ServerCredentials, _ certificates: TestCertificates
    ) async throws {
        var options = ServerOptions()
        // Long enough for an honest client on a busy machine.
        options.handshakeTimeout = .seconds(5)
        let server = try Server(address: "127.0.0.1:0", credentials: credentials, methods: [echo], options: options)
        try await running(server.run) {
            let port = server.port
            let channel = Channel(
                target: "127.0.0.1:\(port)",
                credentials: credentials == .insecure
                    ? .insecure : .tls(TLSFiles(authorities: certificates.path("ca.pem"))))
            let hostile = try await blocking {
                try (0..<200).map { _ in
                    let connection = try RawConnection(port: port)
                    try connection.send(bytes)
                    return connection
                }
            }
            // A new connection, among them. On a busy machine it may take more than one attempt.
            try await eventually("somebody else is answered") {
                (try? await channel.unary(echo.method, Message([1]), timeout: .seconds(20)))?.bytes == [1]
            }
            try await eventually("all are closed that sent \(bytes)", within: .seconds(30)) {
                hostile.allSatisfy(\.isClosed)
            }
            let echoed = try await channel.unary(echo.method, Message([2]), timeout: .seconds(20))
            #expect(echoed.bytes == [2])
        }
    }
}
