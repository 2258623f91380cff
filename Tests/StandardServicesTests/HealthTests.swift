import GRPC
import ServiceKit
import StandardServices
import SubstrateAPI
import TestKit
import Testing

@Suite struct HealthTests {
    /// A server of one service with health, for the duration of `body`.
    private func serving(
        _ readiness: Readiness, _ body: @Sendable (Channel) async throws -> Void
    ) async throws {
        let methods = [ServerMethod(Method("/test.Service/Call")) { request, _ in request }]
        let server = try Server(
            address: "127.0.0.1:0", credentials: .insecure, methods: methods + Health(of: methods, readiness).methods)
        try await running(server.run) {
            try await body(Channel(target: "127.0.0.1:\(server.port)", credentials: .insecure))
        }
    }

    @Test func theServerAndItsServicesAreAsReadyAsTheProgram() async throws {
        let readiness = Readiness()
        try await serving(readiness) { channel in
            for service in ["", "test.Service"] {
                readiness.set(false)
                let request = HealthRequest(service: service)
                let before = try await channel.call(HealthMethods.check, request, timeout: .seconds(10))
                #expect(before.status == .notServing)
                readiness.set(true)
                let after = try await channel.call(HealthMethods.check, request, timeout: .seconds(10))
                #expect(after.status == .serving)
            }
        }
    }

    @Test func anUnknownServiceIsNotFound() async throws {
        try await serving(Readiness()) { channel in
            await #expect(throws: RPCError.self) {
                try await channel.call(HealthMethods.check, HealthRequest(service: "no.Such"), timeout: .seconds(10))
            }
            let stream = try await channel.open(
                HealthMethods.watch, HealthRequest(service: "no.Such"), timeout: .seconds(10))
            var iterator = stream.makeAsyncIterator()
            #expect(try await iterator.next()?.status == .serviceUnknown)
        }
    }

    @Test func aWatchShowsThePresentStatusAndThenEachChange() async throws {
        let readiness = Readiness()
        try await serving(readiness) { channel in
            let stream = try await channel.open(HealthMethods.watch, HealthRequest(), timeout: .seconds(10))
            var iterator = stream.makeAsyncIterator()
            for expected in [HealthResponse.ServingStatus.notServing, .serving, .notServing] {
                #expect(try await iterator.next()?.status == expected)
                readiness.set(!readiness.isReady)
            }
        }
    }

    /// It would hold a place that others want.
    @Test func aStreamWhoseRequestDoesNotComeIsEnded() async throws {
        let watch = ServerMethod.stream(HealthMethods.watch, requestWithin: .milliseconds(50)) { _, writer, _ in
            try await writer.send(HealthResponse(status: .serving))
        }
        let server = try Server(address: "127.0.0.1:0", credentials: .insecure, methods: [watch])
        try await running(server.run) {
            let channel = Channel(target: "127.0.0.1:\(server.port)", credentials: .insecure)
            let call = try channel.stream(HealthMethods.watch.method, timeout: .seconds(20))
            let error = await #expect(throws: RPCError.self) { while try await call.receive() != nil {} }
            #expect(error?.code == .cancelled)
        }
    }
}
