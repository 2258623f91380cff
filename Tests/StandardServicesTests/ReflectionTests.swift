import GRPC
import StandardServices
import TestKit
import Testing

@Suite struct ReflectionTests {
    /// Asks one question, as bytes made by hand, under both names of the service; returns the answers.
    private func answers(
        to request: [UInt8], admit: @escaping Reflection.Admission = { _ in }
    ) async throws -> [[UInt8]] {
        let methods = [ServerMethod(Method("/ateapi.Control/GetActor")) { request, _ in request }]
        let server = try Server(
            address: "127.0.0.1:0", credentials: .insecure,
            methods: methods + Reflection(of: methods, admit: admit).methods)
        let answers = Collected<[UInt8]>()
        try await running(server.run) {
            let channel = Channel(target: "127.0.0.1:\(server.port)", credentials: .insecure)
            for version in ["v1", "v1alpha"] {
                let method = Method("/grpc.reflection.\(version).ServerReflection/ServerReflectionInfo")
                let call = try channel.stream(method, timeout: .seconds(10))
                try await call.send(Message(request))
                answers.append(try await call.receive()?.bytes ?? [])
                try await call.finishSending()
                let end = try await call.receive()
                #expect(end == nil)
            }
        }
        return answers.all
    }

    private func field(_ number: UInt8, _ text: String) -> [UInt8] {
        [number << 3 | 2, UInt8(text.utf8.count)] + Array(text.utf8)
    }

    @Test func theServicesOfTheServerAreListedWithItself() async throws {
        for answer in try await answers(to: field(7, "*")) {
            for service in [
                "ateapi.Control", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
            ] {
                #expect(answer.contains(field(1, service)))
            }
            // The request comes back as it was.
            #expect(answer.contains(field(2, "").dropLast() + [UInt8(field(7, "*").count)] + field(7, "*")))
        }
    }

    @Test func aSymbolBringsItsFileAndWhatThatImports() async throws {
        for symbol in ["substrate.Watch", "substrate.Watch.WatchActors", "substrate.LogLine.Stream"] {
            for answer in try await answers(to: field(4, symbol)) {
                #expect(answer.contains(field(1, "substrate/watch.proto")))
                #expect(answer.contains(field(1, "ateapi/ateapi.proto")))
            }
        }
        for answer in try await answers(to: field(3, "ateapi/ateapi.proto")) {
            // As published: the reference in a request is a message, whatever the server itself reads it as.
            #expect(answer.contains(field(6, ".ateapi.ActorRef")))
        }
    }

    @Test func whatIsNotThereIsNotFound() async throws {
        let questions = [field(3, "no.proto"), field(4, "no.Symbol"), field(6, "no.Type")]
        for question in questions {
            for answer in try await answers(to: question) {
                // An error_response with the code NOT_FOUND.
                #expect(
                    answer.contains([7 << 3 | 2]) && answer.contains([1 << 3, UInt8(StatusCode.notFound.rawValue)]))
            }
        }
    }

    @Test func whoeverIsNotAdmittedHearsNothing() async throws {
        await #expect(throws: RPCError.self) {
            _ = try await answers(to: field(7, "*")) { _ in
                throw Status(code: .unauthenticated, message: "missing bearer token")
            }
        }
    }
}
