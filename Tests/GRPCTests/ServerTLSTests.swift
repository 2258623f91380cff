import GRPC
import TestKit
import Testing

/// Servers with certificates, and clients with and without.
@Suite struct ServerTLSTests {
    private let whoAmI = ServerMethod(Method("/test.Identity/WhoAmI")) { _, call in
        Message(Array((call.peerCertificate.map { $0.alternativeNames.joined(separator: ",") } ?? "nobody").utf8))
    }

    private func ask(_ port: Int, _ files: TLSFiles) async throws(RPCError) -> String {
        let channel = Channel(target: "127.0.0.1:\(port)", credentials: .tls(files))
        let answer = try await channel.unary(whoAmI.method, Message([]), timeout: .seconds(5))
        return String(decoding: answer.bytes, as: UTF8.self)
    }

    private func serving(
        _ files: TLSFiles, _ clients: ServerCredentials.ClientCertificate, _ body: (Int) async throws -> Void
    ) async throws {
        let server = try Server(
            address: "127.0.0.1:0", credentials: .tls(files, clients: clients), methods: [whoAmI])
        let running = Task { await server.run() }
        defer { running.cancel() }
        try await body(server.port)
    }

    @Test func aClientsCertificateIsVerifiedIfGivenAndTold() async throws {
        let certificates = try await TestCertificates()
        try await certificates.issue("client", name: "alice", alternativeName: "URI:spiffe://test/alice", by: "ca")
        try await certificates.makeAuthority("stranger")
        try await certificates.issue("imposter", name: "alice", alternativeName: "DNS:alice", by: "stranger")
        let files = TLSFiles(
            authorities: certificates.path("ca.pem"), certificate: certificates.path("server.pem"),
            privateKey: certificates.path("server.key"))
        func client(_ name: String?) -> TLSFiles {
            TLSFiles(
                authorities: certificates.path("ca.pem"), certificate: name.map { certificates.path("\($0).pem") },
                privateKey: name.map { certificates.path("\($0).key") })
        }
        try await serving(files, .verifiedIfGiven) { port in
            let alice = try await ask(port, client("client"))
            #expect(alice == "URI:spiffe://test/alice")
            let anonymous = try await ask(port, client(nil))
            #expect(anonymous == "nobody")
            let error = await #expect(throws: RPCError.self) { try await ask(port, client("imposter")) }
            #expect(error?.code == .unavailable)
        }
        try await serving(files, .required) { port in
            let alice = try await ask(port, client("client"))
            #expect(alice == "URI:spiffe://test/alice")
            let error = await #expect(throws: RPCError.self) { try await ask(port, client(nil)) }
            #expect(error?.code == .unavailable)
        }
    }

    @Test func whatHasExpiredIsNotTrustedOnEitherSide() async throws {
        let certificates = try await TestCertificates()
        for (file, days) in [("fresh", 2), ("stale", -1)] {
            try await certificates.issue(
                file, name: file, alternativeName: "URI:spiffe://test/\(file)", by: "ca", days: days)
            try await certificates.issue(
                "\(file)-server", name: "server", alternativeName: "IP:127.0.0.1", by: "ca", days: days)
        }
        func files(_ name: String) -> TLSFiles {
            TLSFiles(
                authorities: certificates.path("ca.pem"), certificate: certificates.path("\(name).pem"),
                privateKey: certificates.path("\(name).key"))
        }
        for clients: ServerCredentials.ClientCertificate in [.verifiedIfGiven, .required] {
            try await serving(files("fresh-server"), clients) { port in
                let fresh = try await ask(port, files("fresh"))
                #expect(fresh == "URI:spiffe://test/fresh")
                let error = await #expect(throws: RPCError.self) { try await ask(port, files("stale")) }
                #expect(error?.code == .unavailable)
            }
        }
        try await serving(files("stale-server"), .none) { port in
            let error = await #expect(throws: RPCError.self) {
                try await ask(port, TLSFiles(authorities: certificates.path("ca.pem")))
            }
            #expect(error?.code == .unavailable)
        }
    }

    @Test func aClientThatTrustsAnotherAuthorityDoesNotConnect() async throws {
        let certificates = try await TestCertificates()
        try await certificates.makeAuthority("stranger")
        let files = TLSFiles(
            authorities: nil, certificate: certificates.path("server.pem"), privateKey: certificates.path("server.key"))
        try await serving(files, .none) { port in
            let error = await #expect(throws: RPCError.self) {
                try await ask(port, TLSFiles(authorities: certificates.path("stranger.pem")))
            }
            #expect(error?.code == .unavailable)
        }
    }

    @Test func aServersCertificateThatRotatesIsReadAgain() async throws {
        let certificates = try await TestCertificates()
        try await certificates.makeAuthority("next")
        try await certificates.issue("renewed", name: "server", alternativeName: "IP:127.0.0.1", by: "next")
        var files = TLSFiles(
            authorities: nil, certificate: certificates.path("server.pem"), privateKey: certificates.path("server.key"))
        files.refreshInterval = .seconds(1)
        try await serving(files, .none) { port in
            _ = try await ask(port, TLSFiles(authorities: certificates.path("ca.pem")))
            try certificates.replace("server.pem", by: "renewed.pem")
            try certificates.replace("server.key", by: "renewed.key")
            try await eventually("the new certificate is shown") {
                (try? await ask(port, TLSFiles(authorities: certificates.path("next.pem")))) != nil
            }
        }
    }
}
