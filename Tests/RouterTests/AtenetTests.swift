import Foundation
import HTTP
import LocalCluster
import Processes
import SubstrateModel
import Synchronization
import TestKit
import Testing

/// The program with its flags.
@Suite struct AtenetTests {
    private let directory = TemporaryDirectory()
    private let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appending(path: "atenet").path

    /// What it prints when it ends by itself, and its code.
    private func refusal(_ arguments: String...) async throws -> String {
        let lines = Mutex<[String]>([])
        let process = try await ChildProcess.start(
            Command(
                program, arguments + ["--status-listen-addr", "none", "--state-dir", "\(directory.path)/refused"],
                environment: [:],
                output: .lines { line in lines.withLock { $0.append(line) } }))
        let status = await process.wait()
        #expect(status == .exited(code: 1) || status == .exited(code: 2))
        return lines.withLock { $0.joined(separator: "\n") }
    }

    @Test func nothingListensInPlainTextBeyondLoopbackUnlessToldTo() async throws {
        let plain = try await refusal("--http-listen-addr", "0.0.0.0:1")
        #expect(plain.contains("--http-listen-addr 0.0.0.0:1 is not a loopback address, and there is no TLS"))
        let certificates = try await TestCertificates()
        let files = ["--tls-cert", certificates.path("server.pem"), "--tls-key", certificates.path("server.key")]
        let unused = try await refusal(files[0], files[1], files[2], files[3])
        #expect(unused.contains("--tls-cert needs --https-listen-addr"))
        let bare = try await refusal("--https-listen-addr", "127.0.0.1:1")
        #expect(bare.contains("--https-listen-addr needs --tls-cert and --tls-key"))
        let missing = try await refusal(
            "--https-listen-addr", "127.0.0.1:1", "--tls-cert", "/none", "--tls-key", "/none")
        #expect(missing.contains("--tls-cert /none: cannot be read"))
    }

    @Test func whatItIsToldOfOtherRoutersHasToBeComplete() async throws {
        let certificates = try await TestCertificates()
        let files = ["--peer-cert", certificates.path("server.pem"), "--peer-key", certificates.path("server.key")]
        #expect(
            try await refusal("--peer-listen-addr", "10.0.0.7:8443").contains(
                "--peer-listen-addr needs --peer-cacert, --peer-cert and --peer-key"))
        #expect(
            try await refusal("--peer-listen-addr", "router-7:8443").contains(
                "--peer-listen-addr router-7:8443: must be an IPv4 address and a port"))
        #expect(
            try await refusal("--peer-listen-addr", "0.0.0.0:8443", "--insecure").contains(
                "--peer-listen-addr 0.0.0.0:8443 needs --peer-advertise-addr"))
        #expect(
            try await refusal("--peer-advertise-addr", "10.0.0.7:8443").contains(
                "--peer-advertise-addr needs --peer-listen-addr"))
        #expect(
            try await refusal(files[0], files[1], files[2], files[3]).contains(
                "--peer-cacert, --peer-cert and --peer-key have to be given together"))
    }

    @Test func itServesWithNginx() async throws { try await serves(["--proxy", "nginx"]) }

    @Test(.enabled(if: TestedProxy.envoyProgram != nil, "there is no Envoy here; scripts/deps envoy installs it"))
    func itServesWithEnvoy() async throws {
        try await serves(["--proxy", "envoy", "--envoy", TestedProxy.envoyProgram ?? ""])
    }

    /// With and without TLS.
    private func serves(_ arguments: [String]) async throws {
        let certificates = try await TestCertificates()
        let played = try PlayedActor.answering { _ in "here" }
        defer { played.leave() }
        let api = try PlayedAPI()
        api.place(actor("alice"), at: played.address)
        let (plain, secure) = ("127.0.0.1:\(try FreePort.find())", "127.0.0.1:\(try FreePort.find())")
        try await api.serving {
            let process = try await LocalProcess.start(
                "atenet", program,
                [
                    "--http-listen-addr", plain, "--https-listen-addr", secure, "--ateapi-address", api.address,
                    "--tls-cert", certificates.path("server.pem"), "--tls-key", certificates.path("server.key"),
                    "--state-dir", "\(directory.path)/state", "--status-listen-addr", "none",
                ] + arguments, logs: directory.path)
            do {
                try await process.wait(until: "serve") {
                    (try? await send("http://\(plain)/", .plain))?.text == "here"
                }
                let answer = try await send("https://\(secure)/", .tls(authorities: certificates.path("ca.pem")))
                #expect(answer.text == "here")
                #expect(api.resumes.count == 0)
            } catch {
                await process.process.killAndWait()
                throw error
            }
            await process.process.stop(grace: .seconds(10))
            #expect(process.process.exitStatus == .exited(code: 0), "\(process.lastLines)")
        }
    }

    private func send(_ url: String, _ transport: HTTPClient.Transport) async throws -> HTTPResponse {
        try await HTTPClient.send(
            "GET", url, headers: ["Host": "alice.\(RouterHarness.domain)"], timeout: .seconds(5), over: transport)
    }
}
