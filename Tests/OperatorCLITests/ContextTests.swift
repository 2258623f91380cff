import Foundation
import GRPC
import ServiceKit
import SubstrateAPI
import TestKit
import Testing

@testable import OperatorCLI

/// Servers by name, in a file of the user's.
@Suite(.timeLimit(.minutes(1))) struct ContextTests {
    private let folder = Folder()

    private var environment: [String: String] { ["XDG_CONFIG_HOME": folder.path("settings"), "HOME": "/nonexistent"] }
    private var file: String { folder.path("settings/atectl/config.yaml") }

    private func run(_ line: String, status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) async
        -> String
    {
        let outcome = await atectl(line, environment: environment)
        #expect(outcome.status == status, "\(line): \(outcome.complaints)", sourceLocation: sourceLocation)
        return status == 0 ? outcome.output : outcome.complaints
    }

    /// The endpoint that a command without a server fails to reach.
    private func target(_ flags: String, _ others: [String: String] = [:]) async -> String {
        let line = "get actors --timeout 5s \(flags)"
        let outcome = await atectl(line, environment: environment.merging(others) { $1 })
        return outcome.complaints.firstMatch(of: /the API at ([^ ]*) is unavailable/).map { String($0.1) }
            ?? outcome.complaints
    }

    @Test func contextsAreMadeChosenAndForgotten() async throws {
        #expect(await run("config get-contexts") == "CURRENT  NAME  ENDPOINT  TLS  ATESPACE\n")
        #expect(await run("config set-context local --endpoint 127.0.0.1:1") == "context \"local\" created\n")
        #expect(await run("config current-context") == "local\n")
        _ = await run("config set-context team --endpoint 127.0.0.1:2 -a research")
        #expect(await run("config use-context team") == "switched to context \"team\"\n")
        #expect(
            await run("config get-contexts") == """
                CURRENT  NAME   ENDPOINT     TLS  ATESPACE
                         local  127.0.0.1:1  no
                *        team   127.0.0.1:2  no   research

                """)
        // What is not said stays.
        #expect(await run("config set-context team --api-server-name ateapi") == "context \"team\" changed\n")
        #expect(
            await run("config view") == """
                current-context: team
                contexts:
                - name: local
                  endpoint: "127.0.0.1:1"
                - name: team
                  endpoint: "127.0.0.1:2"
                  server-name: ateapi
                  atespace: research

                """)
        #expect(
            await run("config delete-context team") == "deleted context \"team\"; there is no current context now\n")
        #expect(await run("config current-context", status: 1).contains("there is no current context"))
        #expect(await run("config get-contexts -o name") == "local\n")
    }

    @Test func theFileIsForItsOwnerAndReplacedAsAWhole() async throws {
        _ = await run("config set-context a")
        func mode() throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        }
        #expect(try mode() == 0o600)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        let reader = try FileHandle(forReadingFrom: URL(filePath: file))
        _ = await run("config set-context b")
        #expect(try mode() == 0o600)
        // Whoever has it open still sees all of the old one, and nothing is left over beside it.
        #expect(
            String(decoding: try reader.readToEnd() ?? Data(), as: UTF8.self)
                == "current-context: a\ncontexts:\n- name: a\n")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("settings/atectl")) == ["config.yaml"])
    }

    @Test func aLinkToTheFileStaysALink() async throws {
        try FileManager.default.createDirectory(
            atPath: folder.path("settings/atectl"), withIntermediateDirectories: true)
        try Data("contexts: []\n".utf8).write(to: URL(filePath: folder.path("kept.yaml")))
        try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: folder.path("kept.yaml"))
        _ = await run("config set-context a")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: file) == folder.path("kept.yaml"))
        #expect(await run("config get-contexts -o name") == "a\n")
    }

    @Test func flagsComeBeforeTheContextAndTheContextBeforeTheDefault() async throws {
        _ = await run("config set-context one --endpoint 127.0.0.1:1")
        _ = await run("config set-context two --endpoint 127.0.0.1:2")
        #expect(await target("") == "127.0.0.1:1")
        #expect(await target("--context two") == "127.0.0.1:2")
        #expect(await target("--context two --endpoint 127.0.0.1:3") == "127.0.0.1:3")
        #expect(await target("--endpoint 127.0.0.1:3") == "127.0.0.1:3")
        #expect(await target("", ["ATE_ENDPOINT": "127.0.0.1:4"]) == "127.0.0.1:4")
        #expect(await target("--context two", ["ATE_ENDPOINT": "127.0.0.1:4"]) == "127.0.0.1:2")
    }

    @Test func aServerOfTheMomentGetsNoTokenOfAContext() async throws {
        try Data("secret".utf8).write(to: URL(filePath: folder.path("token")))
        _ = await run("config set-context one --endpoint 127.0.0.1:1 --api-token-file \(folder.path("token"))")
        // With the token this would be refused, as it is when the context is asked for: there is no TLS.
        let refused = await run("get actors --context one --endpoint 192.0.2.1:1", status: 2)
        #expect(
            refused.hasPrefix("atectl: with the context one: --api-token-file: 192.0.2.1:1 is not a loopback address"))
        #expect(await target("--endpoint 127.0.0.2:1") == "127.0.0.2:1")
        #expect(try Invocation.context(of: "get actors --endpoint 192.0.2.1:1", environment) == nil)
    }

    @Test func theFileMayBeElsewhere() async throws {
        let other = folder.path("other.yaml")
        _ = await run("config set-context x --endpoint 127.0.0.1:7 --config \(other)")
        #expect(await target("--config \(other)") == "127.0.0.1:7")
        #expect(await target("", ["ATECTL_CONFIG": other]) == "127.0.0.1:7")
        #expect(!FileManager.default.fileExists(atPath: file))
        let home = await atectl("config set-context h", environment: ["HOME": folder.path("home")])
        #expect(
            home.status == 0 && FileManager.default.fileExists(atPath: folder.path("home/.config/atectl/config.yaml")))
    }

    @Test func filesAreRelativeToTheFileOfContexts() throws {
        try FileManager.default.createDirectory(
            atPath: folder.path("settings/atectl"), withIntermediateDirectories: true)
        let text = "contexts:\n- name: a\n  cacert: ca.pem\n  key: /etc/key.pem\n  endpoint: host:1\n"
        try Data(text.utf8).write(to: URL(filePath: file))
        let context = try #require(try Invocation.context(of: "get actors --context a", environment))
        #expect(context.settings["api-cacert"] == folder.path("settings/atectl/ca.pem"))
        #expect(context.settings["api-key"] == "/etc/key.pem" && context.settings["endpoint"] == "host:1")
    }

    @Test func aContextHasWhatItsServerAsksFor() async throws {
        let certificates = try await TestCertificates()
        try await certificates.issue("client", name: "client", by: "ca")
        let (ca, cert, key) = (
            certificates.path("ca.pem"), certificates.path("client.pem"), certificates.path("client.key")
        )
        let files = TLSFiles(
            authorities: ca, certificate: certificates.path("server.pem"), privateKey: certificates.path("server.key"))
        let token = folder.path("token")
        try Data("secret\n".utf8).write(to: URL(filePath: token))
        let list = ServerMethod(ControlMethods.listAtespaces) { _, call in
            guard call.metadata["authorization"] == "Bearer secret" else {
                throw Status(code: .unauthenticated, message: "missing bearer token")
            }
            return ListAtespacesResponse(names: ["default"])
        }
        let server = try Server(
            address: "127.0.0.1:0", credentials: .tls(files, clients: .required), methods: [list])
        try await running({ await server.run() }) {
            let endpoint = "--endpoint 127.0.0.1:\(server.port)"
            _ = await run(
                "config set-context a \(endpoint) --api-cacert \(ca) --api-cert \(cert) --api-key \(key) --api-token-file \(token)"
            )
            #expect(await run("get atespaces -o name") == "atespace/default\n")
            _ = await run("config set-context b \(endpoint) --api-cacert \(ca) --api-cert \(cert) --api-key \(key)")
            #expect(
                await run("get atespaces --context b", status: 1).contains("UNAUTHENTICATED); see --api-token-file"))
            _ = await run("config set-context c \(endpoint)")
            #expect(
                await run("get atespaces --context c", status: 1).contains("is that where the context c should lead?"))
        }
    }

    @Test func whatIsWrongWithTheFileIsSaid() async throws {
        #expect(
            await run("get actors --context x", status: 2).contains("there is no context x in \(file): it has none"))
        _ = await run("config set-context production")
        let misspelt = await run("config use-context prodution", status: 2)
        #expect(misspelt.contains("there is no context prodution (did you mean production?)"))
        #expect(await run("get actors --config /no/such/file", status: 2).contains("there is no such file"))
        for (text, problem) in [
            (
                "contexts:\n- name: a\n  cacrt: x\n",
                "contexts[0].cacrt is not known here; a context has name, endpoint, cacert"
            ),
            ("contexts:\n- endpoint: x\n", "contexts[0].name is required"),
            ("contexts:\n- name: a\n- name: a\n", "contexts[1].name a is given twice"),
            ("contexts: 5\n", "contexts must be a list"), ("a: [", "line "),
        ] {
            try Data(text.utf8).write(to: URL(filePath: file))
            let complaint = await run("get actors", status: 2)
            #expect(complaint.contains("\(file): ") && complaint.contains(problem), "\(complaint)")
        }
    }
}

extension Invocation {
    fileprivate static func context(of line: String, _ environment: [String: String]) throws -> ServerContext? {
        guard case .run(let command, let values) = try CommandTable.read(line.split(separator: " ").map(String.init))
        else { return nil }
        return try Invocation(command, values, Screen().terminal(environment)).context
    }
}
