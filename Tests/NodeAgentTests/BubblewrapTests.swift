import Foundation
import Glibc
import LocalCluster
import Processes
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// Actors of class process in bubblewrap, where it works: as root, or where users may make namespaces.
@Suite(.enabled(if: access("/usr/bin/bwrap", X_OK) == 0, "it needs bubblewrap"))
struct BubblewrapTests {
    let files = TemporaryDirectory()
    let directory: StateDirectory
    let log = LogRecorder()

    init() throws {
        directory = try StateDirectory(path: "\(files.path)/state", newID: { UUID().uuidString })
        for name in ["secrets", "elsewhere"] {
            try FileManager.default.createDirectory(
                atPath: "\(files.path)/\(name)", withIntermediateDirectories: true)
            try Data("secret".utf8).write(to: URL(fileURLWithPath: "\(files.path)/\(name)/file"))
        }
    }

    private func activation(
        _ epoch: Int64, _ command: [String], from snapshot: SnapshotURI? = nil, variable: String = "PASSWORD"
    ) -> Activation {
        Activation(
            pod: "node-0", epoch: Epoch(epoch),
            workload: Workload(
                actor: ActorRef(atespace: "default", name: "alice"), actorUID: "uid",
                template: TemplateRef(namespace: "n", name: "t"),
                containers: [
                    Container(
                        name: "main", command: command,
                        environment: [Container.Variable(name: variable, value: "never-in-arguments")])
                ]),
            address: ActorAddress(ip: "127.0.0.1", port: 1), snapshot: snapshot,
            output: ActorOutput(epoch: Epoch(epoch), workerPod: "node-0", wallClock: { 0 }))
    }

    /// Runs `body` with a runtime whose actors are in bubblewrap; not at all where that does not work.
    private func using(_ body: (ProcessRuntime) async throws -> Void) async throws {
        let hidden = [directory.path, "\(files.path)/secrets"]
        guard let bubblewrap = await Bubblewrap.ifUsable(hiding: hidden, log.log) else { return }
        try await body(
            ProcessRuntime(
                directory: directory, snapshots: SnapshotDirectory(root: "\(files.path)/snapshots"),
                bubblewrap: bubblewrap, log: log.log))
    }

    private func durable(_ epoch: Int64) -> String { directory.activation(pod: "node-0", epoch: Epoch(epoch)).durable }

    /// What a script has found out, which it has to write to `out` in the end.
    private func findings(_ script: String, _ runtime: ProcessRuntime) async throws -> String {
        let sandbox = try await runtime.start(
            activation(1, ["/bin/sh", "-c", "{ \(script); } >found 2>/dev/null; mv found out; exec sleep 600"]))
        let path = "\(durable(1))/out"
        try await eventually("it has found out") { FileManager.default.fileExists(atPath: path) }
        let text = try String(contentsOfFile: path, encoding: .utf8)
        await sandbox.kill()
        return text
    }

    @Test func anActorWritesNowhereButInItsDirectoryAndSeesNoSecrets() async throws {
        try await using { runtime in
            // A name that nobody else uses on the node.
            let written = "/tmp/\(UUID().uuidString)"
            let script = """
                for place in /usr /etc /var /opt; do touch $place/x && echo wrote $place; done
                ls \(directory.path)/lock \(directory.path)/directory-id && echo saw the state directory
                cat \(files.path)/secrets/file \(files.path)/elsewhere/file && echo saw files of others
                ls -A /root; ls -A /home; ls /proc | grep -c '^[0-9]'
                touch \(written) && echo wrote to its own place; echo kept > file; echo $PASSWORD
                """
            let found = try await findings(script, runtime)
            // Itself, and those that it has for this.
            let processes = found.split(separator: "\n").compactMap { Int($0) }
            #expect(processes.count == 1 && processes[0] < 10)
            #expect(
                found.split(separator: "\n").filter { Int($0) == nil } == [
                    "wrote to its own place", "never-in-arguments",
                ])
            #expect(!FileManager.default.fileExists(atPath: written))
        }
    }

    @Test func nothingOfItsEnvironmentIsInAnyArguments() async throws {
        try await using { runtime in
            let sandbox = try await runtime.start(activation(1, ["/bin/sleep", "600"]))
            let marker = directory.activation(pod: "node-0", epoch: Epoch(1)).marker
            try await eventually("it runs") { processStates(marker).count >= 3 }
            for process in processStates(marker) {
                let arguments = FileManager.default.contents(atPath: "/proc/\(process.pid)/cmdline") ?? Data()
                #expect(!String(decoding: arguments, as: UTF8.self).contains("never-in-arguments"))
            }
            await sandbox.kill()
            #expect(processStates(marker).isEmpty)
        }
    }

    @Test func aCheckpointKeepsTheDirectoryAndARestoreBringsItBack() async throws {
        try await using { runtime in
            let uri = SnapshotURI("file://\(files.path)/snapshots/uid/1")
            let first = try await runtime.start(
                activation(1, ["/bin/sh", "-c", "echo kept > file; setsid sleep 600 & echo > ready; exec sleep 600"]))
            try await eventually("the file is written") {
                FileManager.default.fileExists(atPath: "\(durable(1))/ready")
            }
            try await first.checkpoint(to: uri, .data, if: nil)
            #expect(processStates(directory.marker).isEmpty)
            let second = try await runtime.start(
                activation(2, ["/bin/sh", "-c", "cat file > copy; exec sleep 600"], from: uri))
            try await eventually("the file is read") {
                (try? String(contentsOfFile: "\(durable(2))/copy", encoding: .utf8)) == "kept\n"
            }
            await second.kill()
        }
    }

    @Test func aProgramThatIsNotThereIsSaidAtOnce() async throws {
        try await using { runtime in
            for program in ["/no/such/program", "no-such-program", "./no-such-program"] {
                let failure = await #expect(throws: RuntimeFailure.self) {
                    try await runtime.start(activation(1, [program]))
                }
                #expect(failure?.reason == "cannot start \(program): there is no such program")
            }
        }
    }

    /// Also one that lies where actors see nothing else.
    @Test func aProgramRunsFromWhereItIs() async throws {
        try await using { runtime in
            let program = "\(files.path)/program"
            try FileManager.default.copyItem(atPath: "/bin/sleep", toPath: program)
            let sandbox = try await runtime.start(activation(1, [program, "600"]))
            try await eventually("it runs") {
                processStates(directory.marker).contains { process in
                    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process.pid)/exe")) == program
                }
            }
            #expect(!sandbox.hasEnded)
            await sandbox.kill()
        }
    }

    /// The loader of bubblewrap itself would obey them, before there is a sandbox.
    @Test func variablesForTheLoaderAreRefused() async throws {
        try await using { runtime in
            for name in ["LD_PRELOAD", "LD_AUDIT", "GLIBC_TUNABLES", "GCONV_PATH"] {
                let error = await #expect(throws: RuntimeFailure.self) {
                    try await runtime.start(activation(1, ["/bin/true"], variable: name))
                }
                #expect(error?.reason.contains("\(name) cannot be set for bubblewrap") == true)
            }
        }
    }
}
