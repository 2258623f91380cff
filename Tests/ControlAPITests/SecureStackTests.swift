import Etcd
import Foundation
import GRPC
import LocalCluster
import Processes
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

/// The real programs with everything switched on that docs/security.md describes: TLS everywhere, certificates of callers, a
/// policy, roles in etcd.
@Suite struct SecureStackTests {
    private let directory = TemporaryDirectory()
    private let programs = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().path
    private static let repository = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").path

    /// What runs, until it is stopped.
    private struct Stack {
        let certificates: TestCertificates
        let etcd: LocalEtcd
        let api: LocalProcess
        let node: LocalProcess
        let apiAddress: String
        let nodeAddress: String

        func stop() async {
            await node.process.stop(grace: .seconds(10))
            await api.process.stop(grace: .seconds(10))
            await etcd.kill()
        }
    }

    private func file(_ name: String, _ text: String) throws -> String {
        let path = "\(directory.path)/\(name)"
        try Data(text.utf8).write(to: URL(filePath: path))
        return path
    }

    private func makeCertificates() async throws -> TestCertificates {
        let certificates = try await TestCertificates()
        try await certificates.issue("admin", name: "admin", alternativeName: "URI:spiffe://test/admin", by: "ca")
        try await certificates.issue("guest", name: "guest", alternativeName: "URI:spiffe://test/guest", by: "ca")
        // It certifies ateapi alone.
        try await certificates.makeAuthority("control")
        try await certificates.issue(
            "ateapi", name: "ateapi", alternativeName: "URI:spiffe://test/ateapi", by: "control")
        return certificates
    }

    private func startEtcd(_ certificates: TestCertificates) async throws -> LocalEtcd {
        var settings = LocalEtcd.Settings()
        settings.usesTLS = true
        settings.arguments = [
            "--cert-file", certificates.path("server.pem"), "--key-file", certificates.path("server.key"),
        ]
        let etcd = try await LocalEtcd.launch(settings, directory: directory.path)
        do {
            var options = EtcdOptions()
            options.security.tls = TLSFiles(authorities: certificates.path("ca.pem"))
            try await etcd.waitUntilServing(options)
            var environment = ProcessInfo.processInfo.environment
            environment["ETCDCTL_API"] = "3"
            environment["ETCDCTL_ENDPOINTS"] = "https://\(etcd.endpoint)"
            environment["ETCDCTL_CACERT"] = certificates.path("ca.pem")
            let roles = "\(Self.repository)/scripts/etcd-roles"
            try await Tool.run("bash", [roles, "default/small"], logs: directory.path, environment: environment)
            // Etcd makes the role root itself in later versions.
            try? await Tool.run("etcdctl", ["role", "add", "root"], logs: directory.path, environment: environment)
            for arguments in [
                ["user", "add", "root:secret-root"], ["user", "grant-role", "root", "root"],
                ["user", "add", "api:secret-api"], ["user", "grant-role", "api", "ateapi"],
                ["user", "add", "node:secret-node"], ["user", "grant-role", "node", "atelet-default-small"],
                ["auth", "enable"],
            ] { try await Tool.run("etcdctl", arguments, logs: directory.path, environment: environment) }
            return etcd
        } catch {
            await etcd.kill()
            throw error
        }
    }

    private func start() async throws -> Stack {
        let certificates = try await makeCertificates()
        let etcd = try await startEtcd(certificates)
        let (ca, cert, key) = (
            certificates.path("ca.pem"), certificates.path("server.pem"), certificates.path("server.key")
        )
        func etcdFlags(_ user: String) throws -> [String] {
            [
                "--etcd-endpoints", etcd.endpoint, "--etcd-cacert", ca, "--etcd-user", user, "--etcd-password-file",
                try file("\(user)-password", "secret-\(user)\n"),
            ]
        }
        let policy = try file(
            "policy.json",
            #"{"rules": [{"identities": ["URI:spiffe://test/admin"], "verb": "admin", "atespaces": ["*"]}]}"#)
        var environment = ProcessInfo.processInfo.environment
        // Where the example's actors are.
        environment["PATH"] = "\(programs):\(environment["PATH"] ?? "/usr/bin:/bin")"
        let addresses = try (0..<2).map { _ in "127.0.0.1:\(try FreePort.find())" }
        let api = try await LocalProcess.start(
            "ateapi", "\(programs)/ateapi",
            [
                "--status-listen-addr", "none",
                "--grpc-listen-addr", addresses[0], "--tls-cert", cert, "--tls-key", key, "--tls-client-cacert", ca,
                "--policy", policy, "--node-cacert", ca, "--node-cert", certificates.path("ateapi.pem"),
                "--node-key", certificates.path("ateapi.key"),
            ] + etcdFlags("api"), logs: directory.path, environment: environment)
        let node = try await LocalProcess.start(
            "atelet", "\(programs)/atelet",
            [
                "--status-listen-addr", "none",
                "--grpc-listen-addr", addresses[1], "--tls-cert", cert, "--tls-key", key, "--tls-client-cacert",
                certificates.path("control.pem"), "--pool", "default/small", "--node-name", "node", "--workers", "1",
                "--runtime", "process", "--state-dir", "\(directory.path)/state", "--snapshot-dir",
                "\(directory.path)/snapshots",
                "--actor-addresses", "127.\(201 + Int(getpid()) % 50).0.0/16", "--lease-ttl", "2s", "--lease-margin",
                "500ms",
            ] + etcdFlags("node"), logs: directory.path, environment: environment)
        return Stack(
            certificates: certificates, etcd: etcd, api: api, node: node, apiAddress: addresses[0],
            nodeAddress: addresses[1])
    }

    private func channel(_ stack: Stack, _ address: String, as name: String?) -> Channel {
        let files = TLSFiles(
            authorities: stack.certificates.path("ca.pem"),
            certificate: name.map { stack.certificates.path("\($0).pem") },
            privateKey: name.map { stack.certificates.path("\($0).key") })
        return Channel(target: address, credentials: .tls(files))
    }

    private func code(_ channel: Channel, _ path: String) async -> StatusCode {
        do throws(RPCError) {
            _ = try await channel.unary(Method(path), Message([]), timeout: .seconds(10))
            return .ok
        } catch {
            return error.code
        }
    }

    private func atectl(_ stack: Stack, _ arguments: String...) async throws -> String {
        let certificates = stack.certificates
        return try await Tool.output(
            "\(programs)/atectl",
            arguments + [
                "--endpoint", stack.apiAddress, "--api-cacert", certificates.path("ca.pem"), "--api-cert",
                certificates.path("admin.pem"), "--api-key", certificates.path("admin.key"),
            ])
    }

    @Test func everythingWorksAndNobodyElseGetsIn() async throws {
        let stack = try await start()
        do {
            try await check(stack)
        } catch {
            await stack.stop()
            throw ClusterError("\(error)\n\(stack.api.lastLines)\n\(stack.node.lastLines)")
        }
        await stack.stop()
        let log = try String(contentsOfFile: stack.api.logFile, encoding: .utf8)
        let lines = log.split(separator: "\n")
        #expect(lines.count { $0.contains(#""method":"/ateapi.Control/SuspendActor""#) } == 1)
        for line in lines {
            #expect(line.hasPrefix("{") && line.hasSuffix("}") && !line.contains("secret-"), "\(line)")
        }
    }

    private func check(_ stack: Stack) async throws {
        let admin = channel(stack, stack.apiAddress, as: "admin")
        try await stack.api.wait(until: "know the node") {
            let workers = try? await admin.call(ControlMethods.listWorkers, EmptyRequest(), timeout: .seconds(1))
                .workers
            return workers?.contains { !$0.uid.isEmpty } == true
        }
        try await checkCallers(stack)

        let manifest = try String(contentsOfFile: "\(Self.repository)/examples/counter.yaml", encoding: .utf8)
            .replacing("file:///var/lib/substrate/snapshots", with: "file://\(directory.path)/snapshots")
        _ = try await atectl(stack, "apply", "-f", try file("counter.yaml", manifest))
        _ = try await atectl(stack, "create", "actor", "alice", "--template", "default/counter")
        for verb in ["resume", "pause", "resume", "suspend", "resume"] {
            _ = try await atectl(stack, verb, "actor", "alice")
        }
        // The release, too, needs no more than the role allows.
        await stack.node.process.killAndWait()
        let ref = ActorRef(atespace: "default", name: "alice")
        try await eventually("alice is released", within: .seconds(30)) {
            let actor = try await admin.call(
                ControlMethods.getActor, GetActorRequest(actor: ref), timeout: .seconds(10)
            ).actor
            return actor.status == .suspended && actor.lastSnapshot != nil
        }
    }

    /// The agent listens to ateapi alone, and ateapi to whom the policy names. The health of both is everybody's who gets
    /// through TLS.
    private func checkCallers(_ stack: Stack) async throws {
        let (health, list) = ("/grpc.health.v1.Health/Check", "/ateapi.Control/ListWorkers")
        for (name, answer) in [("admin", StatusCode.ok), ("guest", .permissionDenied), (nil, .unauthenticated)] {
            let caller = channel(stack, stack.apiAddress, as: name)
            #expect(await code(caller, list) == answer, "\(name ?? "nobody")")
            #expect(await code(caller, health) == .ok)
        }
        // Certified by an authority that this server does not know.
        #expect(await code(channel(stack, stack.apiAddress, as: "ateapi"), list) == .unavailable)
        let plain = Channel(target: stack.apiAddress, credentials: .insecure)
        #expect(await code(plain, list) == .unavailable)

        for method in [health, "/atelet.AteomHerder/Run", "/substrate.Node/Status"] {
            for name in ["admin", nil] {
                #expect(await code(channel(stack, stack.nodeAddress, as: name), method) == .unavailable)
            }
            #expect(await code(channel(stack, stack.nodeAddress, as: "ateapi"), method) != .unavailable)
        }
    }
}
