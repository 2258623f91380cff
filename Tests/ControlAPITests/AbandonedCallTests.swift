import ControlAPI
import ControlPlane
import Etcd
import GRPC
import LocalCluster
import SubstrateAPI
import SubstrateStore
import Synchronization
import TestKit
import Testing

/// Calls that nobody waits for any more, while etcd keeps silent: their work stops. Etcd is given minutes to answer, so
/// nothing but the end of the call can be what stops it.
@Suite struct AbandonedCallTests {
    private static let arrived = Method("/test.Arrival/Arrived")

    /// What has become of calls at the server.
    private final class Ends: Sendable {
        private let ends = Mutex<[(path: String, code: StatusCode)]>([])

        func note(_ call: CompletedCall) {
            guard call.method != arrived else { return }
            ends.withLock { $0.append((call.method.path, call.status.code)) }
        }

        var all: [(path: String, code: StatusCode)] { ends.withLock { $0 } }
    }

    /// Every unary method, in both generations.
    private static func requests(_ fixture: StoreFixture) -> [(path: String, bytes: [UInt8])] {
        let whole = (
            path: ResourcesMethods.applyTemplate.method.path,
            bytes: TemplateMessage(template: fixture.template).message.bytes
        )
        return WireRequests.all.flatMap { method in method.requests.map { (method.path, $0) } } + [whole]
    }

    /// Those that say what they have to say without asking etcd.
    private static let neverAsk: Set<String> = [
        "/ateapi.Control/DebugClear", "/ateapi.SessionIdentity/MintJWT", "/ateapi.SessionIdentity/MintCert",
    ]

    private func withSilentEtcd(
        _ body: @Sendable (Int, [(path: String, bytes: [UInt8])], Ends) async throws -> Void
    ) async throws {
        let proxy = try FaultProxy(target: try await TestEtcd.server().endpoint)
        defer { proxy.stop() }
        var options = EtcdOptions()
        options.callTimeout = .seconds(300)
        options.attemptTimeout = .seconds(300)
        options.signOfLifeInterval = .seconds(300)
        options.limits.keepaliveTime = .seconds(300)
        let etcd = EtcdClient(endpoints: [proxy.endpoint], options: options)
        // The replica's session, too, is to outlive the silence.
        var control = TestCluster.impatient
        control.leaseTimeToLive = .seconds(300)
        let cluster = try await TestCluster(Store(etcd: etcd, keys: TestEtcd.uniqueKeys()), options: control)
        let ends = Ends()
        var serverOptions = ServerOptions()
        serverOptions.onCompleted = { ends.note($0) }
        let arrival = ServerMethod(Self.arrived) { request, _ in request }
        let server = try Server(
            address: "127.0.0.1:0", credentials: .insecure,
            methods: ControlServices(control: cluster.control).methods + [arrival], options: serverOptions)
        try await cluster.run {
            _ = try await cluster.fixture.createActor("alice")
            try await running(server.run) {
                proxy.set { $0.swallowsAll = true }
                try await body(server.port, Self.requests(cluster.fixture), ends)
            }
        }
    }

    @Test func workStopsWhenTheClientGoesAway() async throws {
        try await withSilentEtcd { port, requests, ends in
            let proxy = try FaultProxy(target: "127.0.0.1:\(port)")
            defer { proxy.stop() }
            let channel = Channel(target: proxy.endpoint, credentials: .insecure)
            await withTaskGroup(of: Void.self) { group in
                for request in requests {
                    group.addTask {
                        _ = try? await channel.unary(
                            Method(request.path), Message(request.bytes), timeout: .seconds(300))
                    }
                }
                group.addTask {
                    // On the same connection, behind the calls.
                    try? await eventually("calls have arrived") {
                        _ = try await channel.unary(Self.arrived, Message([]), timeout: .seconds(20))
                        return Self.neverAsk.allSatisfy { path in ends.all.contains { $0.path == path } }
                    }
                    proxy.cutAll()
                }
            }
            try await eventually("all calls have ended at the server") { ends.all.count >= requests.count }
            for path in Set(requests.map(\.path)).subtracting(Self.neverAsk) {
                let codes = Set(ends.all.filter { $0.path == path }.map(\.code))
                // What is no valid request has been refused before.
                #expect(
                    codes.contains(.cancelled) && codes.subtracting([.invalidArgument]).count == 1, "\(path): \(codes)")
            }
        }
    }

    @Test func workStopsWithTheDeadline() async throws {
        try await withSilentEtcd { port, requests, ends in
            let channel = Channel(target: "127.0.0.1:\(port)", credentials: .insecure)
            _ = try await channel.unary(Self.arrived, Message([]), timeout: .seconds(20))
            await withTaskGroup(of: Void.self) { group in
                for request in requests {
                    group.addTask {
                        do throws(RPCError) {
                            _ = try await channel.unary(
                                Method(request.path), Message(request.bytes), timeout: .seconds(1))
                            #expect(Self.neverAsk.contains(request.path), "\(request.path)")
                        } catch {
                            let answers: [StatusCode] =
                                Self.neverAsk.contains(request.path)
                                ? [.permissionDenied, .unauthenticated]
                                : [.unavailable, .deadlineExceeded, .invalidArgument]
                            #expect(answers.contains(error.code), "\(request.path): \(error)")
                        }
                    }
                }
            }
            try await eventually("all calls have ended at the server") { ends.all.count >= requests.count }
        }
    }
}
