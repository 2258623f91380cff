import Etcd
import Foundation
import HTTP
import LocalCluster
import Processes
import SubstrateStore
import TestKit
import Testing

/// The procedure of docs/operations.md, command by command, with the real programs and actors that are processes.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["SUBSTRATE_FULL_TESTS"] != nil))
struct FullRestoreProcedureTests {
    private let directory = TemporaryDirectory()
    private let programs = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().path

    @Test func actorsCountOnFromWhatTheBackupNames() async throws {
        let stack = try await LocalStack.start(
            directory: directory.path, programs: programs, addressBlock: 1 + Int(getpid()) % 200)
        do {
            try await restore(stack)
        } catch {
            await stack.stop()
            throw error
        }
        await stack.stop()
    }

    private func restore(_ stack: LocalStack) async throws {
        try await atectl(stack, "apply", "-f", try stack.manifest(of: "examples/counter.yaml"))
        for actor in ["alice", "bob"] {
            try await atectl(stack, "create", "actor", actor, "--template", "default/counter")
            for expected in 1...3 { #expect(try await count(stack, "POST", actor) == "\(expected)") }
        }
        try await atectl(stack, "suspend", "actor", "alice")
        #expect(try await count(stack, "POST", "alice") == "4")
        try await atectl(stack, "pause", "actor", "bob")

        let backup = "\(directory.path)/backup"
        try await Tool.etcdctl(stack.etcd.endpoint, ["snapshot", "save", backup], logs: directory.path)

        // The work that is lost: two suspends of alice replace the snapshot that the backup names.
        for expected in ["5", "6"] {
            #expect(try await count(stack, "POST", "alice") == expected)
            try await atectl(stack, "suspend", "actor", "alice")
        }
        try await atectl(stack, "create", "actor", "carol", "--template", "default/counter")

        await stack.stopPrograms()
        await stack.etcd.kill()
        let data = stack.etcd.dataDirectory
        try FileManager.default.moveItem(atPath: data, toPath: "\(data).before")
        try await Tool.run(
            "etcdctl",
            [
                "snapshot", "restore", backup, "--name", stack.etcd.name, "--data-dir", data, "--initial-cluster",
                "\(stack.etcd.name)=\(stack.etcd.peerURL)", "--initial-advertise-peer-urls", stack.etcd.peerURL,
            ], logs: directory.path, environment: ["ETCDCTL_API": "3"])
        try await stack.etcd.restart()
        for isFirst in [true, false] {
            let said = try await Tool.output(
                "\(programs)/ateapi", ["admin", "after-restore", "--etcd-endpoints", stack.etcdAddress])
            #expect(said.contains(isFirst ? "1 actors released" : "0 actors released"), "\(said)")
            #expect(said.contains("actors: 1 STATUS_SUSPENDED, 1 STATUS_PAUSED"), "\(said)")
        }
        try await stack.startPrograms()

        #expect(try await count(stack, "GET", "alice") == "3")
        #expect(try await count(stack, "POST", "bob") == "4")
        #expect(try await stack.atectl(["get", "actor", "carol"]).status != .exited(code: 0))
        try await atectl(stack, "suspend", "actor", "alice")
        #expect(try await count(stack, "POST", "alice") == "4")
        // While the system runs, nothing is done to it.
        let limit = ["admin", "after-restore", "--lease-limit", "1s", "--etcd-endpoints", stack.etcdAddress]
        await #expect(throws: ClusterError.self) { try await Tool.output("\(programs)/ateapi", limit) }
        #expect(try await count(stack, "POST", "alice") == "5")
        // Nobody has asked for a compaction.
        #expect(try await Store(etcd: stack.etcd.client()).keepsHistory(since: 2))
    }

    private func atectl(_ stack: LocalStack, _ arguments: String...) async throws {
        let result = try await stack.atectl(arguments)
        guard result.status == .exited(code: 0) else {
            throw ClusterError("atectl \(arguments.joined(separator: " ")): \(result.output)")
        }
    }

    /// What an actor answers through the router.
    private func count(_ stack: LocalStack, _ method: String, _ actor: String) async throws -> String {
        let answer = try await HTTPClient.send(
            method, "http://\(stack.routerAddress)/",
            headers: ["Host": "\(actor).actors.resources.substrate.ate.dev"], timeout: .seconds(30))
        return String(decoding: answer.body, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
