import ControlAPI
import ControlPlane
import Etcd
import Foundation
import GRPC
import Identity
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

/// Identities for sessions: only for the actor that the calling worker holds.
@Suite struct SessionIdentityTests {
    /// A running actor `alice` on the one worker of the cluster, and somebody who may call as whoever he has a certificate of.
    private struct Scene: Sendable {
        let cluster: TestCluster
        let certificates: TestCertificates
        let port: Int
        let token = MintJWTRequest(audience: ["tools"], appID: "default", userID: "u1", sessionID: "alice")

        func channel(as name: String) async throws -> Channel {
            let file = UUID().uuidString
            try await certificates.issue(file, name: "worker", alternativeName: name, by: "ca")
            return Channel(
                target: "127.0.0.1:\(port)",
                credentials: .tls(
                    TLSFiles(
                        authorities: certificates.path("ca.pem"), certificate: certificates.path("\(file).pem"),
                        privateKey: certificates.path("\(file).key"))))
        }

        func channelOfWorker(_ ref: WorkerRef, domain: String = "substrate.local") async throws -> Channel {
            try await channel(
                as: "URI:spiffe://\(domain)/ns/\(ref.pool.namespace)/pool/\(ref.pool.name)/worker/\(ref.pod)")
        }

        func status(_ channel: Channel, _ request: MintJWTRequest) async -> Status {
            do throws(RPCError) {
                _ = try await channel.call(SessionIdentityMethods.mintJWT, request, timeout: .seconds(20))
                return Status(code: .ok, message: "")
            } catch {
                return error.status
            }
        }
    }

    private func run(_ body: @Sendable (Scene) async throws -> Void) async throws {
        let directory = TemporaryDirectory()
        let certificates = try await TestCertificates()
        let pools = (jwt: "\(directory.path)/jwt.json", ca: "\(directory.path)/ca.json")
        let time = Int64(Date.now.timeIntervalSince1970)
        try JWTPool.create(path: pools.jwt, authorityID: "1")
        try CAPool.create(path: pools.ca, authorityID: "1", now: time)
        var options = ControlServiceOptions()
        options.minter = try SessionMinter(
            jwtPoolFile: pools.jwt, caPoolFile: pools.ca, now: { time }, log: Log { _ in })
        let cluster = try await TestCluster(TestEtcd.store())
        let files = TLSFiles(
            authorities: certificates.path("ca.pem"), certificate: certificates.path("server.pem"),
            privateKey: certificates.path("server.key"))
        let server = try Server(
            address: "127.0.0.1:0", credentials: .tls(files, clients: .verifiedIfGiven),
            methods: ControlServices(control: cluster.control, options: options).methods)
        try await cluster.run {
            _ = try await cluster.addNode("node", workers: 1)
            _ = try await cluster.fixture.createActor("alice")
            _ = try await cluster.control.resumeActor(cluster.fixture.ref("alice"))
            try await running(server.run) {
                try await body(Scene(cluster: cluster, certificates: certificates, port: server.port))
            }
        }
    }

    @Test func theWorkerThatHoldsTheActorGetsItsIdentity() async throws {
        try await run { scene in
            let worker = try await scene.channelOfWorker(scene.cluster.fixture.workerRef("node-0"))
            let token = try await worker.call(SessionIdentityMethods.mintJWT, scene.token, timeout: .seconds(20)).token
            #expect(token.split(separator: ".").count == 3)
            let names = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x"]
            let request = scene.certificates.path("session.csr")
            try await Tool.run(
                "openssl",
                ["req"] + names + [
                    "-keyout", scene.certificates.path("session.key"), "-outform", "DER", "-out", request,
                ], logs: scene.certificates.path(""))
            let signing = Array(try Data(contentsOf: URL(filePath: request)))
            let chain = try await worker.call(
                SessionIdentityMethods.mintCert,
                MintCertRequest(appID: "default", userID: "u1", sessionID: "alice", signingRequest: signing),
                timeout: .seconds(20)
            ).certificates
            #expect(!chain.isEmpty && chain.allSatisfy { !$0.isEmpty })
            // The same by bytes made by hand, with the field numbers of the wire contract.
            func session(_ first: UInt8) -> [UInt8] {
                WireRequests.field(first, "default") + WireRequests.field(first + 1, "u1")
                    + WireRequests.field(first + 2, "alice")
            }
            func send(_ method: String, _ bytes: [UInt8]) async throws -> WireReader {
                let path = Method("/ateapi.SessionIdentity/\(method)")
                return try WireReader(try await worker.unary(path, Message(bytes), timeout: .seconds(20)).bytes)
            }
            let minted = try await send("MintJWT", WireRequests.field(1, "tools") + session(2))
            #expect(minted.numbers == [1] && minted.text(1)?.split(separator: ".").count == 3)
            let long = [UInt8](
                signing.count > 127
                    ? [UInt8(signing.count & 0x7f | 0x80), UInt8(signing.count >> 7)] : [UInt8(signing.count)])
            let certified = try await send("MintCert", session(1) + [4 << 3 | 2] + long + signing)
            #expect(certified.numbers == [1] && certified.text(1)?.isEmpty != true)
        }
    }

    @Test func nobodyElseDoes() async throws {
        try await run { scene in
            let anonymous = Channel(
                target: "127.0.0.1:\(scene.port)",
                credentials: .tls(TLSFiles(authorities: scene.certificates.path("ca.pem"))))
            let unproved = await scene.status(anonymous, scene.token)
            #expect(unproved.code == .unauthenticated && unproved.message == "Need authorization header")

            let ref = scene.cluster.fixture.workerRef("node-0")
            let elsewhere = try await scene.channelOfWorker(ref, domain: "elsewhere")
            let operatorOfAll = try await scene.channel(as: "URI:spiffe://substrate.local/operator")
            for channel in [elsewhere, operatorOfAll] {
                let status = await scene.status(channel, scene.token)
                #expect(status.code == .permissionDenied && status.message.contains("is not a worker"))
            }
            let unbound = try await scene.channelOfWorker(scene.cluster.fixture.workerRef("node-1"))
            let holder = try await scene.channelOfWorker(ref)
            var foreignSession = scene.token
            foreignSession.sessionID = "bob"
            var foreignAtespace = scene.token
            foreignAtespace.appID = "other"
            for (channel, request) in [
                (unbound, scene.token), (holder, foreignSession), (holder, foreignAtespace),
            ] {
                let status = await scene.status(channel, request)
                #expect(status.code == .permissionDenied && status.message.contains("does not hold the actor"))
            }
        }
    }

    @Test func aWorkerLosesTheRightWithTheActor() async throws {
        try await run { scene in
            let worker = try await scene.channelOfWorker(scene.cluster.fixture.workerRef("node-0"))
            #expect(await scene.status(worker, scene.token).code == .ok)
            _ = try await scene.cluster.control.suspendActor(ActorRef(atespace: "default", name: "alice"))
            #expect(await scene.status(worker, scene.token).code == .permissionDenied)
        }
    }

    @Test func whatIsAskedForHasToBeComplete() async throws {
        try await run { scene in
            let worker = try await scene.channelOfWorker(scene.cluster.fixture.workerRef("node-0"))
            for request in [
                MintJWTRequest(audience: ["tools"], appID: "", userID: "u1", sessionID: "alice"),
                MintJWTRequest(audience: ["tools"], appID: "default", userID: "", sessionID: "alice"),
                MintJWTRequest(audience: ["tools"], appID: "default", userID: "u1", sessionID: ""),
            ] {
                let status = await scene.status(worker, request)
                #expect(status.code == .invalidArgument)
                #expect(status.message == "app_id, user_id, and session_id are required")
            }
            var nobody = scene.token
            nobody.audience = []
            #expect(await scene.status(worker, nobody).code == .internal)
        }
    }
}
