import Foundation
import GRPC
import LocalCluster
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// Secrets in the environment of actors.
@Suite struct SecretTests {
    let files = TemporaryDirectory()
    private var secrets: SecretDirectory { SecretDirectory(path: files.path) }

    private func write(_ path: String, _ bytes: [UInt8]) throws {
        let url = URL(filePath: "\(files.path)/\(path)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }

    private func container(_ secret: Container.SecretKey) -> Container {
        Container(name: "c", command: ["x"], environment: [Container.Variable(name: "E", source: .secret(secret))])
    }

    private func failure(_ secret: Container.SecretKey, _ secrets: SecretDirectory, _ namespace: String = "ns")
        -> RuntimeFailure?
    {
        do throws(RuntimeFailure) {
            _ = try secrets.variables(of: container(secret), namespace)
            return nil
        } catch {
            return error
        }
    }

    @Test func theWholeFileIsTheValueAndPlainValuesStayAsTheyAre() throws {
        try write("ns/tokens/api.key", Array("s3cret ü\n".utf8))
        try write("ns/tokens/empty", [])
        var container = container(Container.SecretKey(name: "tokens", key: "api.key"))
        container.environment += [
            Container.Variable(name: "F", source: .secret(Container.SecretKey(name: "tokens", key: "empty"))),
            Container.Variable(name: "G", value: "$(E)"),
        ]
        #expect(try secrets.variables(of: container, "ns") == ["E": "s3cret ü\n", "F": "", "G": "$(E)"])
        // Read anew each time.
        try write("ns/tokens/api.key", Array("other".utf8))
        #expect(try secrets.variables(of: container, "ns")["E"] == "other")
    }

    @Test func whatIsMissingIsSaid() throws {
        try write("ns/tokens/a", [])
        let noSecret = failure(Container.SecretKey(name: "other", key: "a"), secrets)
        #expect(noSecret?.code == .failedPrecondition)
        #expect(noSecret?.reason == "container \"c\" env \"E\" references missing secret ns/other")
        let noKey = failure(Container.SecretKey(name: "tokens", key: "b"), secrets)
        #expect(noKey?.code == .failedPrecondition)
        #expect(noKey?.reason == "container \"c\" env \"E\" references missing key \"b\" in secret ns/tokens")
        let otherNamespace = failure(Container.SecretKey(name: "tokens", key: "a"), secrets, "else")
        #expect(otherNamespace?.reason == "container \"c\" env \"E\" references missing secret else/tokens")
        let noSecrets = failure(Container.SecretKey(name: "tokens", key: "a"), SecretDirectory(path: nil))
        #expect(noSecrets?.code == .failedPrecondition)
        #expect(
            noSecrets?.reason
                == "container \"c\" env \"E\" cannot resolve secretKeyRef because atelet runs without --secrets")
    }

    @Test func anOptionalOneThatIsMissingIsLeftOut() throws {
        try write("ns/tokens/a", [])
        let keys =
            [Container.SecretKey(name: "tokens", key: "b", isOptional: true)] + [
                Container.SecretKey(name: "other", key: "a", isOptional: true)
            ]
        for key in keys {
            #expect(try secrets.variables(of: container(key), "ns") == [:])
            #expect(try SecretDirectory(path: nil).variables(of: container(key), "ns") == [:])
        }
    }

    @Test func whatCannotBeAValueIsAnErrorEvenIfOptional() throws {
        try write("ns/bad/binary", [0xff])
        try write("ns/bad/nul", [0x61, 0, 0x62])
        try write("ns/bad/large", Array(repeating: 0x61, count: SecretDirectory.maximumSize + 1))
        try write("ns/bad/directory/file", [])
        for key in ["binary", "nul", "large", "directory"] {
            let failure = failure(Container.SecretKey(name: "bad", key: key, isOptional: true), secrets)
            #expect(failure?.code == .internal)
            let place = "while resolving container \"c\" env \"E\": key \"\(key)\" of secret ns/bad "
            #expect(failure?.reason.hasPrefix(place) == true, "\(String(describing: failure))")
        }
    }

    @Test func noNameLeadsOutOfTheDirectory() throws {
        try write("ns/tokens/a", [])
        for (namespace, name, key) in [("..", "ns", "tokens"), ("ns", "..", "a"), ("ns", "tokens", "../tokens/a")] {
            let failure = failure(Container.SecretKey(name: name, key: key, isOptional: true), secrets, namespace)
            #expect(failure?.code == .invalidArgument, "\(namespace) \(name) \(key)")
        }
    }

    @Test func aReferenceToASecretReachesTheNodeAsItIs() throws {
        var request = RunRequest(
            workerUID: "u",
            workload: Workload(
                actor: ActorRef(atespace: "default", name: "alice"), actorUID: "uid",
                template: TemplateRef(namespace: "ns", name: "t"),
                containers: [container(Container.SecretKey(name: "tokens", key: "a", isOptional: true))]))
        request.workload.containers[0].environment.append(Container.Variable(name: "F", value: "v"))
        #expect(try RunRequest(request.message) == request)
    }

    @Test func anActorIsStartedWithItsSecretsOrNotAtAll() async throws {
        try write("secrets/ns/tokens/a", Array("s3cret".utf8))
        let directory = try StateDirectory(path: "\(files.path)/state", newID: { UUID().uuidString })
        let runtime = ProcessRuntime(
            directory: directory, snapshots: SnapshotDirectory(root: "\(files.path)/snapshots"),
            secrets: SecretDirectory(path: "\(files.path)/secrets"), log: LogRecorder().log)
        func activation(_ epoch: Int64, key: String) -> Activation {
            var container = container(Container.SecretKey(name: "tokens", key: key))
            container.command = ["/bin/sh", "-c", "echo \"$E\" > told; exec sleep 60"]
            return Activation(
                pod: "node-0", epoch: Epoch(epoch),
                workload: Workload(
                    actor: ActorRef(atespace: "default", name: "alice"), actorUID: "uid",
                    template: TemplateRef(namespace: "ns", name: "t"), containers: [container]),
                address: ActorAddress(ip: "127.0.0.1", port: 1), snapshot: nil,
                output: ActorOutput(epoch: Epoch(epoch), workerPod: "node-0", wallClock: { 0 }))
        }
        let sandbox = try await runtime.start(activation(1, key: "a"))
        let told = "\(directory.activation(pod: "node-0", epoch: Epoch(1)).durable)/told"
        try await eventually("it has said what it was told") {
            FileManager.default.contents(atPath: told) == Data("s3cret\n".utf8)
        }
        await sandbox.kill()
        let error = await #expect(throws: RuntimeFailure.self) { try await runtime.start(activation(2, key: "b")) }
        #expect(error?.reason == "container \"c\" env \"E\" references missing key \"b\" in secret ns/tokens")
        #expect(!FileManager.default.fileExists(atPath: directory.activation(pod: "node-0", epoch: Epoch(2)).path))
    }
}
