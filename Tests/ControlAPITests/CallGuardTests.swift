import ControlAPI
import Foundation
import GRPC
import Identity
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

/// Who is let in, over real connections.
@Suite struct CallGuardTests {
    private let log = Log { _ in }
    private let directory = TemporaryDirectory()

    private func file(_ name: String, _ text: String) throws -> String {
        let path = "\(directory.path)/\(name)"
        try Data(text.utf8).write(to: URL(filePath: path))
        return path
    }

    /// A server with the guard for the duration of `body`, which is given its port.
    private func serving(
        _ callGuard: CallGuard, _ credentials: ServerCredentials = .insecure,
        _ body: @Sendable (Int) async throws -> Void
    ) async throws {
        let cluster = try await TestCluster(TestEtcd.store())
        let server = try Server(
            address: "127.0.0.1:0", credentials: credentials,
            methods: ControlServices(control: cluster.control, callGuard: callGuard).methods)
        try await cluster.run {
            try await running(server.run) { try await body(server.port) }
        }
    }

    private func code<Request, Response>(
        _ channel: Channel, _ rpc: RPC<Request, Response>, _ request: Request, metadata: Metadata = [:]
    ) async -> StatusCode {
        do throws(RPCError) {
            _ = try await channel.call(rpc, request, metadata: metadata, timeout: .seconds(20))
            return .ok
        } catch {
            return error.code
        }
    }

    /// What the stream of an actor's output begins with.
    private func firstCode(_ channel: Channel, _ request: ActorLogsRequest) async -> StatusCode {
        do throws(RPCError) {
            let stream = try await channel.open(WatchMethods.actorLogs, request, timeout: .seconds(20))
            _ = try await stream.next()
            return .ok
        } catch {
            return error.code
        }
    }

    @Test func aPolicyDecidesByTheCertificateAndTheAtespace() async throws {
        let certificates = try await TestCertificates()
        try await certificates.issue("alice", name: "alice", alternativeName: "URI:spiffe://test/alice", by: "ca")
        let policy = try file(
            "policy.json",
            #"{"rules": [{"identities": ["URI:spiffe://test/alice"], "verb": "operate", "atespaces": ["team-a"]}]}"#)
        let callGuard = CallGuard(.certificates, authorizer: try Authorizer(policyFile: policy, log: log))
        let files = TLSFiles(
            authorities: certificates.path("ca.pem"), certificate: certificates.path("server.pem"),
            privateKey: certificates.path("server.key"))
        try await serving(callGuard, .tls(files, clients: .verifiedIfGiven)) { port in
            let authority = certificates.path("ca.pem")
            let alice = Channel(
                target: "127.0.0.1:\(port)",
                credentials: .tls(
                    TLSFiles(
                        authorities: authority, certificate: certificates.path("alice.pem"),
                        privateKey: certificates.path("alice.key"))))
            let anonymous = Channel(
                target: "127.0.0.1:\(port)", credentials: .tls(TLSFiles(authorities: authority)))
            let own = GetActorRequest(actor: ActorRef(atespace: "team-a", name: "a"))
            let foreign = GetActorRequest(actor: ActorRef(atespace: "team-b", name: "a"))
            // Allowed, so it is looked for.
            #expect(await code(alice, ControlMethods.getActor, own) == .notFound)
            #expect(await code(alice, ControlMethods.getActor, foreign) == .permissionDenied)
            for follow in [true, false] {
                let logs = ActorLogsRequest(actor: own.actor, follow: follow)
                #expect(await firstCode(alice, logs) == .notFound)
                #expect(
                    await firstCode(alice, ActorLogsRequest(actor: foreign.actor, follow: follow)) == .permissionDenied)
                #expect(await firstCode(anonymous, logs) == .unauthenticated)
            }
            #expect(await code(alice, ControlMethods.listActors, ListActorsRequest(atespace: "team-a")) == .ok)
            #expect(await code(alice, ControlMethods.listActors, ListActorsRequest()) == .permissionDenied)
            #expect(await code(alice, ControlMethods.listWorkers, EmptyRequest()) == .permissionDenied)
            let atespace = AtespaceRequest(name: "team-a")
            #expect(await code(alice, ControlMethods.createAtespace, atespace) == .permissionDenied)
            #expect(await code(alice, ResourcesMethods.listPools, EmptyRequest()) == .permissionDenied)
            #expect(await code(anonymous, ControlMethods.getActor, own) == .unauthenticated)
        }
    }

    @Test func withoutAPolicyWhoeverIsConnectedMayDoEverything() async throws {
        let callGuard = CallGuard(.certificates, authorizer: try Authorizer(policyFile: nil, log: log))
        try await serving(callGuard) { port in
            let channel = Channel(target: "127.0.0.1:\(port)", credentials: .insecure)
            #expect(await code(channel, ControlMethods.createAtespace, AtespaceRequest(name: "team-a")) == .ok)
        }
    }

    @Test func aTokenIsNeededAndDecides() async throws {
        let pool = "\(directory.path)/pool.json"
        try JWTPool.create(path: pool, authorityID: "1")
        let keys = try file("keys.json", try JWTPool.publicKeys(path: pool))
        let now: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }
        let minter = try SessionMinter(jwtPoolFile: pool, caPoolFile: nil, now: now, log: log)
        let name = try SessionName(appID: "app", userID: "alice", sessionID: "1")
        let token = try minter.mintJWT(for: name, audience: ["api"])
        let elsewhere = try minter.mintJWT(for: name, audience: ["elsewhere"])
        let policy = try file(
            "policy.json",
            #"{"rules": [{"identities": ["sub:apps/app/users/alice/*"], "verb": "view", "atespaces": ["team-a"]}]}"#)
        let verifier = try TokenVerifier(
            issuer: "https://broker.agentic-substrate-session-id-broker.svc", audience: "api", keys: .file(keys),
            now: now,
            log: log)
        let callGuard = CallGuard(
            .tokens(verifier), authorizer: try Authorizer(policyFile: policy, log: log))
        try await serving(callGuard) { port in
            let channel = Channel(target: "127.0.0.1:\(port)", credentials: .insecure)
            let get = GetActorRequest(actor: ActorRef(atespace: "team-a", name: "a"))
            let bearer: Metadata = ["authorization": "Bearer \(token)"]
            #expect(await code(channel, ControlMethods.getActor, get, metadata: bearer) == .notFound)
            let suspend = SuspendActorRequest(actor: get.actor)
            #expect(await code(channel, ControlMethods.suspendActor, suspend, metadata: bearer) == .permissionDenied)
            let other = GetActorRequest(actor: ActorRef(atespace: "team-b", name: "a"))
            #expect(await code(channel, ControlMethods.getActor, other, metadata: bearer) == .permissionDenied)
            for metadata: Metadata in [
                [:], ["authorization": "Bearer \(elsewhere)"], ["authorization": "Bearer \(token)x"],
                ["authorization": "bearer \(token)"],
            ] {
                #expect(await code(channel, ControlMethods.getActor, get, metadata: metadata) == .unauthenticated)
            }
        }
    }
}
