import GRPC
import ProgramKit
import ServiceKit
import TestKit
import Testing

/// What the programs' servers write of the calls that they answer.
@Suite struct CallLogTests {
    private static let secret = "s3cret"

    @Test func everyCallIsOneLineWithMethodCodeAndTimeAndWithoutSecrets() async throws {
        let echo = ServerMethod(Method("/test.Echo/Echo")) { request, call in
            call.identify(as: "sub:alice")
            return request
        }
        let failing = ServerMethod(Method("/test.Echo/Fail")) { _, _ in
            throw Status(code: .notFound, message: "Actor alice not found")
        }
        let broken = ServerMethod(Method("/test.Echo/Break")) { _, _ in
            throw Status(code: .unavailable, message: "etcd is not reached")
        }
        let stream = ServerMethod.stream(Method("/test.Echo/Stream")) { stream, _ in
            while let message = try await stream.receive() { try await stream.send(message) }
        }
        let recorder = LogRecorder()
        let server = try Server(
            address: "127.0.0.1:0", credentials: .insecure, methods: [echo, failing, broken, stream],
            options: CallLog.serverOptions(recorder.log))
        try await running(server.run) {
            let channel = Channel(target: "127.0.0.1:\(server.port)", credentials: .insecure)
            let headers: Metadata = ["authorization": "Bearer \(Self.secret)"]
            let unknown = Method("/test.Echo/" + String(repeating: "x", count: 500))
            for method in [echo.method, failing.method, broken.method, unknown] {
                _ = try? await channel.unary(
                    method, Message(Array(Self.secret.utf8)), metadata: headers, timeout: .seconds(10))
            }
            let call = try channel.stream(stream.method, metadata: headers)
            try await call.send(Message(Array(Self.secret.utf8)))
            _ = try await call.receive()
            try await call.finishSending()
            _ = try await call.receive()
        }
        let lines = recorder.lines
        func field(_ name: String) -> [String?] {
            lines.map { line in line.fields.first { $0.0 == name }?.1.text() }
        }
        #expect(
            field("method") == [
                #""/test.Echo/Echo""#, #""/test.Echo/Fail""#, #""/test.Echo/Break""#,
                "\"/test.Echo/" + String(repeating: "x", count: 117) + "\"", #""/test.Echo/Stream""#,
            ])
        #expect(
            field("code") == [
                #""OK""#, #""NOT_FOUND""#, #""UNAVAILABLE""#, #""UNIMPLEMENTED""#, #""OK""#,
            ])
        #expect(lines.map(\.level) == [.info, .info, .warning, .info, .info])
        #expect(field("caller") == [#""sub:alice""#, nil, nil, nil, nil])
        #expect(field("error")[0] == nil && field("error")[1] == #""Actor alice not found""#)
        #expect(field("ms").allSatisfy { $0.flatMap { Double($0) } != nil })
        for line in lines {
            #expect(!line.fields.contains { $0.1.text().contains(Self.secret) })
        }
    }
}
