internal import Foundation
internal import GRPC
internal import Glibc
internal import Processes
package import ServiceKit
internal import SubstrateAPI
package import SubstrateModel

/// Actors as processes of the node: not much of a sandbox (`Bubblewrap`), but a directory of their own that survives them.
///
/// The directory is the working directory and `ATE_DURABLE_DIR`; a snapshot holds it and nothing else. The actor has to
/// listen at `ATE_ADDRESS`, port `ATE_PORT`.
package struct ProcessRuntime: Runtime {
    package var sandboxClass: SandboxClass { .process }
    package var localSnapshots: LocalSnapshots { directory.localSnapshots }
    package var localSnapshotStore: any LocalSnapshotStore { LocalSnapshotsOnDisk(localSnapshots) }

    let directory: StateDirectory
    let snapshots: SnapshotDirectory
    let secrets: SecretDirectory
    let bubblewrap: Bubblewrap?
    let log: Log

    /// - Parameters:
    ///   - directory: for the directories of running actors, and for local snapshots.
    ///   - snapshots: where external snapshots may lie.
    ///   - secrets: what containers' variables may refer to.
    ///   - bubblewrap: in which actors run; nil for nothing around them.
    package init(
        directory: StateDirectory, snapshots: SnapshotDirectory, secrets: SecretDirectory = SecretDirectory(path: nil),
        bubblewrap: Bubblewrap? = nil, log: Log
    ) {
        self.directory = directory
        self.snapshots = SnapshotDirectory(root: snapshots.root, local: directory.localSnapshots)
        self.secrets = secrets
        self.bubblewrap = bubblewrap
        self.log = log
    }

    /// The variable in the environment of every process of an actor by which leftovers are found: the id of the state
    /// directory. A process that hides from this by changing its environment is not kept in by this runtime at all.
    static let marker = "ATE_STATE_DIRECTORY_ID"

    /// The same as an entry of an environment.
    static func marker(of directoryID: String) -> String { "\(marker)=\(directoryID)" }

    package func answer() async { await directory.answer() }

    package func killLeftovers() async throws {
        let (killed, left) = try await BlockingThread.result { [directory] in
            (try directory.killProcesses(), try directory.removeActivations())
        }
        for error in left { log.warning("an actor's files cannot be removed", ["error": .string("\(error)")]) }
        if killed > 0 {
            log.warning("killed processes that had been left behind", ["count": .integer(Int64(killed))])
        }
    }

    package func connectedAddresses() async throws(RuntimeFailure) -> Set<ActorAddress> {
        try await BlockingThread.result { () throws(RuntimeFailure) in try Connections.openAddresses() }
    }

    package func start(_ activation: Activation) async throws(RuntimeFailure) -> any Sandbox {
        let place = directory.activation(pod: activation.pod, epoch: activation.epoch)
        do throws(RuntimeFailure) {
            try await prepare(place, activation)
            try await activation.permit()
            let processes = try await spawn(activation, in: place)
            let sandbox = ProcessSandbox(
                processes: processes, place: place, snapshots: snapshots, actorUID: activation.workload.actorUID)
            do throws(RuntimeFailure) {
                try await ReadyProbe.wait(for: activation, sandbox)
            } catch {
                await sandbox.kill()
                throw error
            }
            return sandbox
        } catch {
            await BlockingThread.result { place.remove() }
            throw error
        }
    }

    private func prepare(_ place: ActivationDirectory, _ activation: Activation) async throws(RuntimeFailure) {
        try await BlockingThread.result(interruptibly: { [snapshots] isCancelled throws(RuntimeFailure) in
            do { try place.create() } catch {
                throw RuntimeFailure(
                    .internal, "cannot make the actor's directory: \(error.localizedDescription)", mayLieInWorker: true)
            }
            try Self.checkIsFree(activation.address)
            if let snapshot = activation.snapshot {
                try snapshots.read(snapshot, into: place.durable, isCancelled: isCancelled)
            }
        })
    }

    private func spawn(_ activation: Activation, in place: ActivationDirectory) async throws(RuntimeFailure)
        -> [ChildProcess]
    {
        let containers = activation.workload.containers
        let namespace = activation.workload.template.namespace
        let variables = try await BlockingThread.result { [secrets] () throws(RuntimeFailure) in
            var variables: [[String: String]] = []
            for container in containers { variables.append(try secrets.variables(of: container, namespace)) }
            return variables
        }
        var processes: [ChildProcess] = []
        let output = ProcessOutput(activation, log)
        do {
            for (container, variables) in zip(containers, variables) {
                try Task.checkCancellation()
                var command = command(container, variables, activation, place)
                command.output = output.of(container)
                if let bubblewrap {
                    // The loader would obey them before there is a sandbox.
                    if let name = command.environment.keys.first(where: Bubblewrap.isObeyedByLoader) {
                        throw FileError(
                            "cannot start \(container.name.excerpt): \(name.excerpt) cannot be set for bubblewrap")
                    }
                    guard Bubblewrap.path(of: command) != nil else {
                        throw FileError("cannot start \(command.program.excerpt): there is no such program")
                    }
                    command = bubblewrap.wrap(command, durable: place.durable)
                }
                processes.append(try await ChildProcess.start(command))
            }
            return processes
        } catch {
            for process in processes { await process.killAndWait() }
            throw RuntimeFailure(.failedPrecondition, "\(error)", mayLieInWorker: true)
        }
    }

    private func command(
        _ container: Container, _ variables: [String: String], _ activation: Activation, _ place: ActivationDirectory
    ) -> Command {
        let workload = activation.workload
        var environment = [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
            "HOME": place.durable,
            "LANG": "C.UTF-8",
        ]
        environment.merge(variables) { $1 }
        environment.merge([
            "ATE_ACTOR_ID": workload.actor.name, "ATE_ATESPACE": workload.actor.atespace,
            "ATE_ACTOR_UID": workload.actorUID, "ATE_CONTAINER": container.name,
            "ATE_ADDRESS": activation.address.ip, "ATE_PORT": "\(activation.address.port)",
            ActivationDirectory.variable: place.durable, Self.marker: directory.id,
        ]) { $1 }
        return Command(
            container.command.first ?? "", Array(container.command.dropFirst()), environment: environment,
            directory: place.durable)
    }
}
