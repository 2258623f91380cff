import ControlAPI
import ControlPlane
import Etcd
import GRPC
import ProgramKit
import Protobuf
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// The API over real gRPC, on a control plane with a node in this process.
struct APIHarness: Sendable {
    let cluster: TestCluster
    let node: TestCluster.Node
    let channel: Channel

    var fixture: StoreFixture { cluster.fixture }

    /// - Parameter store: a store of the shared server unless it is given.
    static func run(
        workers: Int = 2, store: Store? = nil, options: ControlServiceOptions = ControlServiceOptions(),
        _ body: @Sendable (APIHarness) async throws -> Void
    ) async throws {
        let cluster: TestCluster
        if let store {
            cluster = try await TestCluster(store)
        } else {
            cluster = try await TestCluster(TestEtcd.store())
        }
        try await run(on: cluster, workers: workers, options: options, body)
    }

    /// - Parameter cluster: whose nodes are yet to come.
    static func run(
        on cluster: TestCluster, workers: Int, options: ControlServiceOptions,
        _ body: @Sendable (APIHarness) async throws -> Void
    ) async throws {
        let services = ControlServices(control: cluster.control, options: options)
        let server = try Server(
            address: "127.0.0.1:0", credentials: .insecure, methods: services.methods,
            options: CallLog.serverOptions(.none))
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: workers)
            try await running(server.run) {
                let channel = Channel(target: "127.0.0.1:\(server.port)", credentials: .insecure)
                try await body(APIHarness(cluster: cluster, node: node, channel: channel))
            }
        }
    }

    /// Calls with a request of ours.
    func call<Request, Response>(_ rpc: RPC<Request, Response>, _ request: Request) async throws -> Response {
        try await channel.call(rpc, request, timeout: .seconds(20))
    }

    /// Calls with bytes of any kind.
    func call(_ path: String, _ bytes: [UInt8]) async throws(RPCError) -> [UInt8] {
        try await channel.unary(Method(path), Message(bytes), timeout: .seconds(20)).bytes
    }

    /// Expects the call to fail with this code and text.
    func expect<Request, Response>(
        _ code: StatusCode, _ message: String, _ rpc: RPC<Request, Response>, _ request: Request,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        do {
            _ = try await channel.call(rpc, request, timeout: .seconds(20))
            Issue.record(
                "\(rpc.method.path) succeeded; expected \(code.name): \(message)", sourceLocation: sourceLocation)
        } catch {
            #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
            #expect(error.status.message == message, sourceLocation: sourceLocation)
        }
    }

    func actor(_ name: String, in atespace: String = "default") -> ActorRef { ActorRef(atespace: atespace, name: name) }

    /// A request to create an actor of the fixture's template.
    func creation(_ name: String, in atespace: String = "default") -> CreateActorRequest {
        CreateActorRequest(actor: actor(name, in: atespace), template: fixture.template.ref)
    }
}
