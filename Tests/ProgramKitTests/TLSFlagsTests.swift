import Foundation
import GRPC
import ProgramKit
import ServiceKit
import TestKit
import Testing

/// Certificates and passwords on the command line, with the mistakes one makes.
@Suite struct TLSFlagsTests {
    private func values(_ arguments: [String]) throws -> Flags.Values {
        var flags = Flags(program: "test", summary: "")
        TLSFlags.declareServer(in: &flags, clients: "")
        EtcdFlags.declare(in: &flags)
        guard case .values(let values) = try flags.parse(arguments) else { throw FlagError("help") }
        return values
    }

    private func refusal(_ arguments: [String]) throws -> String {
        let values = try values(arguments)
        do {
            _ = try TLSFlags.server(values, clients: .required)
            _ = try EtcdFlags.client(values, Log { _ in })
            return "accepted"
        } catch {
            return "\(error)"
        }
    }

    @Test func withoutFlagsThereIsNoTLS() throws {
        let values = try values([])
        #expect(try TLSFlags.server(values, clients: .required) == .insecure)
        #expect(try TLSFlags.client("etcd", values) == .insecure)
    }

    @Test func whatIsGivenIsUsed() async throws {
        let certificates = try await TestCertificates()
        let (ca, cert, key) = (
            certificates.path("ca.pem"), certificates.path("server.pem"), certificates.path("server.key")
        )
        let server = try values(["--tls-cert", cert, "--tls-key", key, "--tls-client-cacert", ca])
        let files = TLSFiles(authorities: ca, certificate: cert, privateKey: key)
        #expect(try TLSFlags.server(server, clients: .required) == .tls(files, clients: .required))
        // Without an authority for them, clients are not asked for anything.
        let plain = try values(["--tls-cert", cert, "--tls-key", key])
        let own = TLSFiles(authorities: nil, certificate: cert, privateKey: key)
        #expect(try TLSFlags.server(plain, clients: .required) == .tls(own, clients: .none))
        let client = try values(["--etcd-cacert", ca, "--etcd-server-name", "etcd-1"])
        #expect(try TLSFlags.client("etcd", client) == .tls(TLSFiles(authorities: ca), serverName: "etcd-1"))
    }

    @Test func mistakesAreSaidAtTheStart() async throws {
        let certificates = try await TestCertificates()
        let (ca, cert, key) = (
            certificates.path("ca.pem"), certificates.path("server.pem"), certificates.path("server.key")
        )
        let noPEM = certificates.path("no.pem")
        try Data("not a certificate".utf8).write(to: URL(filePath: noPEM))
        let empty = certificates.path("empty")
        try Data("\n".utf8).write(to: URL(filePath: empty))
        for (arguments, text) in [
            (["--tls-cert", cert], "--tls-cert and --tls-key have to be given together"),
            (["--tls-client-cacert", ca], "--tls-client-cacert needs --tls-cert"),
            (["--tls-cert", "/nowhere.pem", "--tls-key", key], "--tls-cert /nowhere.pem: cannot be read"),
            (["--tls-cert", noPEM, "--tls-key", key], "is not a PEM file"),
            (["--etcd-server-name", "a"], "--etcd-server-name needs --etcd-cacert"),
            (["--etcd-user", "root"], "--etcd-user root needs --etcd-password-file"),
            (["--etcd-password-file", empty], "--etcd-password-file needs --etcd-user"),
            (["--etcd-user", "root", "--etcd-password-file", empty], "is empty"),
            (["--etcd-user", "root", "--etcd-password-file", "/nowhere"], "cannot be read"),
        ] {
            let said = try refusal(arguments)
            #expect(said.contains(text), "\(arguments): \(said)")
        }
    }

    @Test func aTokenIsReadAgainForEachCall() async throws {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/token"
        var flags = Flags(program: "test", summary: "")
        TokenFlag.declare("api", of: "it", in: &flags)
        guard case .values(let values) = try flags.parse(["--api-token-file", path]) else { throw FlagError("help") }
        let loopback = "127.0.0.1:7300"
        #expect(throws: FlagError.self) { try TokenFlag.headers("api", values, to: loopback, over: .insecure) }
        try Data("one\n".utf8).write(to: URL(filePath: path))
        #expect(throws: FlagError.self) { try TokenFlag.headers("api", values, to: "10.0.0.1:7300", over: .insecure) }
        _ = try TokenFlag.headers("api", values, to: "10.0.0.1:7300", over: .tls(TLSFiles(authorities: nil)))
        let headers = try TokenFlag.headers("api", values, to: loopback, over: .insecure)
        #expect(headers()["authorization"] == "Bearer one")
        try Data("two".utf8).write(to: URL(filePath: path))
        #expect(headers()["authorization"] == "Bearer two")
        // Two lines are no token, and would not be a legal header.
        try Data("two\nthree".utf8).write(to: URL(filePath: path))
        #expect(headers() == [:])
    }
}
