import Etcd
import Foundation
import GRPC
import LocalCluster
import TestKit
import Testing

/// TLS with certificates that rotate.
@Suite struct TLSTests {
    private func withServer(
        _ certificates: TestCertificates, asksForCertificates: Bool = false, _ body: (LocalEtcd) async throws -> Void
    ) async throws {
        let directory = TemporaryDirectory()
        var settings = LocalEtcd.Settings()
        settings.usesTLS = true
        settings.arguments = [
            "--cert-file", certificates.path("server.pem"), "--key-file", certificates.path("server.key"),
        ]
        if asksForCertificates {
            settings.arguments += ["--client-cert-auth", "--trusted-ca-file", certificates.path("ca.pem")]
        }
        let server = try await LocalEtcd.launch(settings, directory: directory.path)
        do { try await body(server) } catch {
            await server.kill()
            throw error
        }
        await server.kill()
    }

    private func options(_ files: TLSFiles, serverName: String? = nil) -> EtcdOptions {
        var options = EtcdOptions()
        options.security.tls = files
        options.security.tls?.refreshInterval = .seconds(1)
        options.security.serverName = serverName
        return options
    }

    @Test func theServerHasToProveWhoItIs() async throws {
        let certificates = try await TestCertificates()
        try await certificates.makeAuthority("other")
        try await withServer(certificates) { server in
            let trusting = options(TLSFiles(authorities: certificates.path("ca.pem")))
            try await server.waitUntilServing(trusting)
            let client = server.client(trusting)
            try await client.put("a", [1])
            for wrong in [
                options(TLSFiles(authorities: certificates.path("other.pem"))), EtcdOptions(),
                options(TLSFiles(authorities: certificates.path("ca.pem")), serverName: "etcd.example"),
                options(TLSFiles(authorities: nil)),
            ] {
                var wrong = wrong
                wrong.callTimeout = .seconds(1)
                let error = await #expect(throws: EtcdError.self) { try await server.client(wrong).put("a", [2]) }
                #expect(error?.code == .unavailable && error?.outcome == .notApplied, "\(String(describing: error))")
            }
            let found = try await client.range(.key("a"))
            #expect(found.pairs.first?.value == [1])
        }
    }

    @Test func anotherNameThanTheAddressCanBeExpected() async throws {
        let certificates = try await TestCertificates()
        try await certificates.issue("server", name: "server", alternativeName: "DNS:etcd.example", by: "ca")
        try await withServer(certificates) { server in
            let named = options(TLSFiles(authorities: certificates.path("ca.pem")), serverName: "etcd.example")
            try await server.waitUntilServing(named)
            var unnamed = options(TLSFiles(authorities: certificates.path("ca.pem")))
            unnamed.callTimeout = .seconds(1)
            await #expect(throws: EtcdError.self) { try await server.client(unnamed).put("a", [2]) }
        }
    }

    @Test func certificatesThatRotateAreReadAgain() async throws {
        let certificates = try await TestCertificates()
        try await certificates.issue("client", name: "client", by: "ca")
        // What the client has at first is not accepted.
        try await certificates.makeAuthority("other")
        try await certificates.issue("stranger", name: "client", by: "other")
        for kind in ["pem", "key"] {
            try FileManager.default.copyItem(
                atPath: certificates.path("stranger.\(kind)"), toPath: certificates.path("mine.\(kind)"))
        }
        try await withServer(certificates, asksForCertificates: true) { server in
            let good = options(
                TLSFiles(
                    authorities: certificates.path("ca.pem"), certificate: certificates.path("client.pem"),
                    privateKey: certificates.path("client.key")))
            try await server.waitUntilServing(good)
            var rotating = options(
                TLSFiles(
                    authorities: certificates.path("ca.pem"), certificate: certificates.path("mine.pem"),
                    privateKey: certificates.path("mine.key")))
            rotating.callTimeout = .seconds(1)
            let client = server.client(rotating)
            await #expect(throws: EtcdError.self) { try await client.put("a", [1]) }
            for kind in ["key", "pem"] { try certificates.replace("mine.\(kind)", by: "client.\(kind)") }
            try await eventually("the same client is accepted with its new certificate") {
                (try? await client.put("a", [2])) != nil
            }
        }
    }
}

/// Users, and tokens that expire.
@Suite struct AuthenticationTests {
    static func enable(_ server: LocalEtcd) async throws {
        let logs = TemporaryDirectory()
        for arguments in [
            ["user", "add", "root:secret"], ["user", "add", "alice:wonder"], ["role", "add", "reader"],
            ["role", "grant-permission", "reader", "readwrite", "alice/", "--prefix"],
            ["user", "grant-role", "alice", "reader"], ["auth", "enable"],
        ] {
            // etcd makes the role root itself, but a user root has to exist and have it.
            if arguments == ["auth", "enable"] {
                try? await Tool.etcdctl(server.endpoint, ["role", "add", "root"], logs: logs.path)
                try await Tool.etcdctl(server.endpoint, ["user", "grant-role", "root", "root"], logs: logs.path)
            }
            try await Tool.etcdctl(server.endpoint, arguments, logs: logs.path)
        }
    }

    static func options(_ name: String, _ password: String) -> EtcdOptions {
        var options = EtcdOptions()
        options.security.user = EtcdUser(name: name) { password }
        return options
    }

    @Test func aUserMayDoWhatItMayAndNothingElse() async throws {
        try await TestEtcd.withServer { server in
            let recorder = EtcdRecorder()
            var early = Self.options("alice", "wonder")
            early.hooks = recorder.hooks
            // Before authentication is switched on, a user is no obstacle.
            let client = server.client(early)
            try await client.put("alice/a", [1])
            try await Self.enable(server)
            let alice = server.client(Self.options("alice", "wonder"))
            let revision = try await alice.put("alice/b", [1])
            let denied = await #expect(throws: EtcdError.self) { try await alice.put("elsewhere", [1]) }
            #expect(denied?.code == .permissionDenied && denied?.outcome == .notApplied)
            let wrong = await #expect(throws: EtcdError.self) {
                try await server.client(Self.options("alice", "guess")).put("alice/c", [1])
            }
            #expect(wrong?.code == .authFailed && wrong?.outcome == .notApplied)
            let nobody = await #expect(throws: EtcdError.self) { try await server.client().put("alice/c", [1]) }
            #expect(nobody?.outcome == .notApplied)
            // A watch is allowed or refused like a read.
            var allowed = alice.watch(.prefix("alice/b"), from: revision).makeAsyncIterator()
            guard case .events(let events) = try await allowed.next() else { return }
            #expect(events.map(\.key) == ["alice/b"])
            var forbidden = alice.watch(.prefix("elsewhere"), from: revision).makeAsyncIterator()
            do throws(EtcdError) {
                _ = try await forbidden.next()
                Issue.record("the watch was allowed")
            } catch {
                #expect(error.code == .permissionDenied)
            }
            // The client from before learns that it needs a token now.
            _ = try await client.range(.key("alice/a"))
        }
    }

    @Test func secretsDoNotShowInDescriptions() {
        let options = Self.options("alice", "wonder")
        #expect("\(String(describing: options.security.user))".contains("alice"))
        #expect(!"\(options)".contains("wonder"))
    }

    @Test func aRestartOfTheMemberIsNoticedByNeitherWatchNorLeaseOfAUser() async throws {
        try await TestEtcd.withServer { server in
            try await Self.enable(server)
            var options = Self.options("root", "secret")
            options.callTimeout = .seconds(20)
            let client = server.client(options)
            let first = try await client.put("alice/0", [])
            let lease = try await client.grantLease(timeToLive: .seconds(60))
            var watch = client.watch(.prefix("alice/"), from: first).makeAsyncIterator()
            guard case .events = try await watch.next() else { return }
            // Its tokens are in memory; whether it gets them back from its log depends on how much of that it replays.
            await server.kill()
            try await server.launchAgain()
            let write = Transaction().when(Key("alice/1").isAbsent).then(.put("alice/1", [])).guarded()
            _ = try await client.transaction(write)
            guard case .events(let events) = try await watch.next() else { return }
            #expect(events.map(\.key) == ["alice/1"])
            // A renewal is one attempt, and may be the one that finds the token refused.
            try await eventually("the lease is renewed") {
                (try? await client.keepAlive(lease.id, within: .seconds(5))) != nil
            }
        }
    }

    @Test func aTokenThatExpiresIsRenewedUnderTheCalls() async throws {
        let certificates = try await TestCertificates()
        try await certificates.makeKeys("jwt")
        let token =
            "jwt,pub-key=\(certificates.path("jwt.pub")),priv-key=\(certificates.path("jwt.key")),"
            + "sign-method=RS256,ttl=1s"
        try await TestEtcd.withServer(arguments: ["--auth-token", token]) { server in
            try await Self.enable(server)
            let recorder = EtcdRecorder()
            var options = Self.options("root", "secret")
            options.hooks = recorder.hooks
            let client = server.client(options)
            // Every call succeeds, those too that find the token expired.
            try await eventually("a third token") {
                _ = try await client.put("alice/a", [1])
                return recorder.logged.count { if case .authenticated = $0 { true } else { false } } >= 3
            }
        }
    }
}
