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
        _ options: ControlServiceOptions = ControlServiceOptions(), _ body: @Sendable (Int) async throws -> Void
    ) async throws {
        let cluster = try await TestCluster(TestEtcd.store())
        let server = try Server(
            address: "127.0.0.1:0", credentials: credentials,
            methods: ControlServices(control: cluster.control, callGuard: callGuard, options: options).methods)
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

    /// Each of these tokens names somebody who may do everything, and is signed by the right key or pretends to be.
    @Test func noForgedOrStaleTokenIsLetIn() async throws {
        let pool = "\(directory.path)/pool.json"
        let otherPool = "\(directory.path)/other.json"
        for path in [pool, otherPool] { try JWTPool.create(path: path, authorityID: "1") }
        let keys = try file("keys.json", try JWTPool.publicKeys(path: pool))
        let now = Int64(Date().timeIntervalSince1970)
        let name = try SessionName(appID: "app", userID: "alice", sessionID: "1")
        @Sendable func mint(_ pool: String, at time: Int64, for audience: String = "api") throws -> String {
            try SessionMinter(jwtPoolFile: pool, caPoolFile: nil, now: { time }, log: log)
                .mintJWT(for: name, audience: [audience])
        }
        let good = try mint(pool, at: now)
        let parts = good.split(separator: ".").map(String.init)
        func base64URL(_ text: String) -> String {
            Data(text.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
                .replacing("=", with: "")
        }
        let unsigned = base64URL(#"{"alg":"none","kid":"1"}"#) + "." + parts[1]
        let payload = try #require(
            Data(base64Encoded: parts[1].padding(toLength: (parts[1].count + 3) / 4 * 4, withPad: "=", startingAt: 0)))
        let promoted = base64URL(String(decoding: payload, as: UTF8.self).replacing("alice", with: "admin"))
        let policy = try file(
            "policy.json", #"{"rules": [{"identities": ["sub:apps/*"], "verb": "admin", "atespaces": ["*"]}]}"#)
        let verifier = try TokenVerifier(
            issuer: SessionMinter.issuer, audience: "api", keys: .file(keys), now: { now }, log: log)
        let callGuard = CallGuard(.tokens(verifier), authorizer: try Authorizer(policyFile: policy, log: log))
        try await serving(callGuard) { port in
            let channel = Channel(target: "127.0.0.1:\(port)", credentials: .insecure)
            func answer(_ token: String) async -> Status {
                do throws(RPCError) {
                    _ = try await channel.call(
                        ControlMethods.listWorkers, EmptyRequest(), metadata: ["authorization": "Bearer \(token)"],
                        timeout: .seconds(20))
                    return Status(code: .ok, message: "")
                } catch {
                    return error.status
                }
            }
            #expect(await answer(good).code == .ok)
            for (token, reason) in [
                (try mint(pool, at: now - 3600), "it has expired"),
                (try mint(pool, at: now + 3600), "it is not valid yet (nbf)"),
                (try mint(pool, at: now, for: "other"), "its aud does not have the audience of this service"),
                (try mint(otherPool, at: now), "its signature is wrong"),
                (parts[0] + "." + promoted + "." + parts[2], "its signature is wrong"),
                (unsigned + ".", "its alg is not one of RS256, RS384, RS512, ES256, ES384, ES512"),
                (unsigned + "." + parts[2], "its alg is not one of RS256, RS384, RS512, ES256, ES384, ES512"),
                (parts[0] + "." + parts[1] + ".", "its signature is wrong"),
                ("", "it does not have three segments"),
            ] {
                let status = await answer(token)
                #expect(status.code == .unauthenticated, "\(status)")
                #expect(status.message == "invalid bearer token: \(reason)")
            }
        }
    }

    @Test func clearingTakesAnAdminOfEverything() async throws {
        let certificates = try await TestCertificates()
        for name in ["admin", "deputy", "operator"] {
            try await certificates.issue(name, name: name, alternativeName: "URI:spiffe://test/\(name)", by: "ca")
        }
        func rule(_ name: String, _ verb: String, _ atespace: String) -> String {
            #"{"identities": ["URI:spiffe://test/\#(name)"], "verb": "\#(verb)", "atespaces": ["\#(atespace)"]}"#
        }
        let rules = [rule("admin", "admin", "*"), rule("deputy", "admin", "default"), rule("operator", "operate", "*")]
        let policy = try file("policy.json", #"{"rules": [\#(rules.joined(separator: ", "))]}"#)
        let callGuard = CallGuard(.certificates, authorizer: try Authorizer(policyFile: policy, log: log))
        let files = TLSFiles(
            authorities: certificates.path("ca.pem"), certificate: certificates.path("server.pem"),
            privateKey: certificates.path("server.key"))
        var options = ControlServiceOptions()
        options.allowsDebugClear = true
        try await serving(callGuard, .tls(files, clients: .verifiedIfGiven), options) { port in
            @Sendable func channel(_ name: String?) -> Channel {
                let files = TLSFiles(
                    authorities: certificates.path("ca.pem"), certificate: name.map { certificates.path("\($0).pem") },
                    privateKey: name.map { certificates.path("\($0).key") })
                return Channel(target: "127.0.0.1:\(port)", credentials: .tls(files))
            }
            let clear = ControlMethods.debugClear
            #expect(await code(channel(nil), clear, EmptyRequest()) == .unauthenticated)
            #expect(await code(channel("operator"), clear, EmptyRequest()) == .permissionDenied)
            #expect(await code(channel("deputy"), clear, EmptyRequest()) == .permissionDenied)
            #expect(await code(channel("admin"), clear, EmptyRequest()) == .ok)
        }
    }
}
