internal import Foundation
internal import GRPC
internal import Glibc
internal import Processes
package import ServiceKit
internal import SubstrateAPI
package import SubstrateModel
internal import Synchronization

/// Actors in gVisor, by the runsc of Debian: a kernel of their own, a network of their own, and a memory that can be saved.
///
/// An actor listens at `ATE_ADDRESS`, which is every address of its own, and `ATE_PORT`. Its working directory is
/// `ATE_DURABLE_DIR`. Needs root.
package final class GVisorRuntime: Runtime {
    package var sandboxClass: SandboxClass { .gvisor }
    package var localSnapshots: LocalSnapshots { directory.localSnapshots }
    package var localSnapshotStore: any LocalSnapshotStore { LocalSnapshotsOnDisk(localSnapshots) }

    let directory: StateDirectory
    let snapshots: SnapshotDirectory
    let network: NodeNetwork
    let memory: MemoryDirectory
    let space = SnapshotSpace()
    let options: Options
    let log: Log
    private let runscVersion = Mutex<String?>(nil)
    /// What was last started on each worker, by the worker's pod name.
    private let sandboxes = Mutex<[String: GVisorSandbox]>([:])

    package struct Options: Sendable {
        /// What containers' variables may refer to.
        package var secrets: SecretDirectory
        package var images: ImageStore
        /// Where addresses of actors come from, as `a.b.c.d/n`.
        package var subnets: [String]
        /// The most that an actor may use, and what it may if its template does not say: in bytes, with 80 MB or so for its
        /// sandbox.
        package var memoryLimit: Int
        /// The same in thousandths of a processor; nil for as much as there is.
        package var processorLimit: Int?
        /// Threads of an actor and of its sandbox, which has one or two for each of the actor's.
        package var processLimit = 2_000
        /// Directories of the node that no actor must see, beside those of state and snapshots.
        package var hiddenDirectories: [String]

        package init(
            secrets: SecretDirectory = SecretDirectory(path: nil), images: ImageStore = ImageStore(directory: nil),
            subnets: [String], memoryLimit: Int = 1 << 30, processorLimit: Int? = nil, hiddenDirectories: [String] = []
        ) {
            self.secrets = secrets
            self.images = images
            self.subnets = subnets
            self.memoryLimit = memoryLimit
            self.processorLimit = processorLimit
            self.hiddenDirectories = hiddenDirectories
        }

        /// Those of an actor.
        /// - Throws: `RuntimeFailure` when its template wants more than the node gives.
        func limits(_ rules: SandboxRules) throws(RuntimeFailure) -> ActorCgroup.Limits {
            if let memory = rules.memory, memory > memoryLimit {
                throw RuntimeFailure(
                    .failedPrecondition,
                    "the template's limit of \(memory >> 20) MiB of memory is more than the \(memoryLimit >> 20) MiB that this "
                        + "node gives an actor (--actor-memory)")
            }
            if let milliCPUs = rules.milliCPUs, let processorLimit, milliCPUs > processorLimit {
                throw RuntimeFailure(
                    .failedPrecondition,
                    "the template's limit of \(milliCPUs) thousandths of a processor is more than the \(processorLimit) that "
                        + "this node gives an actor (--actor-cpu)")
            }
            return ActorCgroup.Limits(
                memory: rules.memory.map { Int($0) } ?? memoryLimit, milliCPUs: rules.milliCPUs ?? processorLimit,
                processes: processLimit)
        }
    }

    /// - Parameters:
    ///   - directory: for the directories of running actors, and for local snapshots. Its id has to be a name.
    ///   - snapshots: where external snapshots may lie.
    package init(directory: StateDirectory, snapshots: SnapshotDirectory, options: Options, log: Log) {
        self.directory = directory
        self.snapshots = SnapshotDirectory(root: snapshots.root, local: directory.localSnapshots)
        self.options = options
        self.log = log
        memory = MemoryDirectory(directoryID: directory.id)
        network = NodeNetwork(directoryID: directory.id, subnets: options.subnets)
    }

    /// Of runsc, as it says itself; nil until leftovers have been killed.
    var version: String? { runscVersion.withLock { $0 } }

    /// What no actor may see.
    var ownDirectories: [String] { options.hiddenDirectories + [directory.path, snapshots.root] }

    package func killLeftovers() async throws {
        try await killAll()
        try await BlockingThread.result { [memory, options] in
            options.images.clear()
            try memory.create()
            try FileManager.default.createDirectory(
                atPath: GVisorLayout.mountRoot, withIntermediateDirectories: true)
        }
        let answer = try await ShortCommand.run("runsc", ["--version"], to: "ask runsc for its version")
        runscVersion.withLock { $0 = answer.split(separator: "\n").first.map(String.init) }
        try await network.begin()
    }

    /// Kills every actor of this state directory, and removes all that there is in the kernel and on the disk because of them.
    package func killAll() async throws {
        let killed = try await BlockingThread.result { [directory] in try directory.killProcesses() }
        if killed > 0 {
            log.warning("killed processes that had been left behind", ["count": .integer(Int64(killed))])
        }
        try await clear()
    }

    /// Whether an agent that ran actors in gVisor has left something of this state directory on the machine.
    package var hasLeftovers: Bool {
        network.hasLeftovers || FileManager.default.fileExists(atPath: memory.path)
            || ActorCgroup.hasLeftovers(directoryID: directory.id)
    }

    /// Removes all that there is in the kernel and on the disk because of actors, once none runs any more.
    package func clear() async throws {
        sandboxes.withLock { $0 = [:] }
        guard NameRule.allows(directory.id) else {
            throw StateDirectoryError(
                "the id in \(directory.path)/directory-id cannot be part of a name: remove the file")
        }
        try await network.removeAll()
        let left = try await BlockingThread.result { [directory, memory] in
            try ActorCgroup.removeLeftovers(directoryID: directory.id)
            let left = try directory.removeActivations()
            try memory.remove()
            return left
        }
        for error in left { log.warning("an actor's files cannot be removed", ["error": .string("\(error)")]) }
    }

    package func connectedAddresses() async throws(RuntimeFailure) -> Set<ActorAddress> {
        try await BlockingThread.result { () throws(RuntimeFailure) in try Connections.openPeers() }
    }

    package func start(_ activation: Activation) async throws(RuntimeFailure) -> any Sandbox {
        guard NameRule.allows(activation.pod) else {
            throw RuntimeFailure(
                .invalidArgument, "the worker's name \(activation.pod.excerpt) cannot be part of a path")
        }
        guard let container = activation.workload.containers.first, activation.workload.containers.count == 1 else {
            throw RuntimeFailure(
                .failedPrecondition,
                "an actor of class gvisor has one container on this node, and its template has "
                    + "\(activation.workload.containers.count)")
        }
        // What was here before may have ended by itself, and still hold the worker's network.
        let previous = sandboxes.withLock { $0[activation.pod] }
        await previous?.kill()
        let worker = try await network.worker(activation.pod)
        let start = GVisorStart(activation, container, on: worker, self)
        let sandbox = try await start.run()
        sandboxes.withLock { $0[activation.pod] = sandbox }
        return sandbox
    }

    /// For so long actors may have the node's network when its firewall is reloaded, at a look that costs a few milliseconds.
    package var upkeepInterval: Duration? { .seconds(2) }

    package func keepUp() async {
        do throws(RuntimeFailure) {
            guard try await network.repair() else { return }
            log.error(
                "the rules that keep actors in were gone, as after a reload of the node's firewall, and are made anew: let it keep the table, or restart it while no actors run",
                ["table": .string(network.names.table)])
        } catch {
            if Task.isCancelled { return }
            log.error(
                "cannot see to it that actors are kept in, will try again", ["reason": .string(error.reason)])
        }
    }

    package func answer() async { await directory.answer() }
}
