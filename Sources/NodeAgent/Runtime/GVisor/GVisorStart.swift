internal import Foundation
internal import GRPC
internal import Glibc
internal import Processes
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// One start of an actor in gVisor.
struct GVisorStart: Sendable {
    let activation: Activation
    let container: Container
    let runtime: GVisorRuntime
    let place: ActivationDirectory
    let cgroup: ActorCgroup
    let network: WorkerNetwork
    let runsc: Runsc

    init(_ activation: Activation, _ container: Container, on network: WorkerNetwork, _ runtime: GVisorRuntime) {
        self.activation = activation
        self.container = container
        self.runtime = runtime
        self.network = network
        let directory = runtime.directory
        place = directory.activation(pod: activation.pod, epoch: activation.epoch)
        cgroup = ActorCgroup(activation.id, directoryID: directory.id)
        runsc = Runsc(
            place: place, notes: runtime.memory.path(of: activation.id), network: network, cgroup: cgroup,
            environment: ShortCommand.path.merging([
                ProcessRuntime.marker: directory.id, ActivationDirectory.variable: place.durable,
            ]) { $1 })
    }

    /// - Throws: `RuntimeFailure`; then nothing of the activation is left.
    func run() async throws(RuntimeFailure) -> GVisorSandbox {
        do throws(RuntimeFailure) {
            let (root, image) = try await prepare()
            try await network.open(for: activation.address, activation.workload.sandboxRules.egress)
            try await activation.permit()
            let clock = ContinuousClock()
            let begin = clock.now
            let process = try await startProcess(from: image)
            let sandbox = GVisorSandbox(
                process, runsc, runtime.snapshots, runtime.space, activation, memory: memory(root))
            do throws(RuntimeFailure) {
                try await waitUntilReady(sandbox)
            } catch {
                await sandbox.kill()
                throw error
            }
            runtime.log.info(
                "a sandbox has become ready",
                [
                    "actor": .text(activation.workload.actor), "ms": .number((clock.now - begin) / .milliseconds(1)),
                ])
            return sandbox
        } catch {
            await uncancelled { [network, cgroup, runsc, activation] in
                await network.close(activation.address, runsc.notes)
                await BlockingThread.result {
                    cgroup.remove()
                    runsc.removeFiles()
                }
            }
            throw error
        }
    }

    /// What a snapshot of it says of its memory.
    private func memory(_ root: RootFileSystem) -> SnapshotManifest.Memory {
        SnapshotManifest.Memory(
            runtime: Runsc.name, version: runtime.version, root: root.name, port: activation.address.port)
    }

    /// Makes directory, cgroup and bundle. Returns the root, and the directory of the memory to go on with, if there is one.
    private func prepare() async throws(RuntimeFailure) -> (RootFileSystem, image: String?) {
        try await BlockingThread.result(interruptibly: { [self] isCancelled throws(RuntimeFailure) in
            try GVisorLayout.check(container)
            let root = try RootFileSystem.of(
                container, runtime.options.images, hidden: runtime.ownDirectories, isCancelled: isCancelled)
            let image = try prepareDirectory(root, isCancelled)
            try writeBundle(root)
            try cgroup.create(try runtime.options.limits(activation.workload.sandboxRules))
            return (root, image)
        })
    }

    private func prepareDirectory(
        _ root: RootFileSystem, _ isCancelled: () -> Bool
    ) throws(RuntimeFailure) -> String? {
        do {
            try place.create()
            try FileManager.default.createDirectory(atPath: runsc.notes, withIntermediateDirectories: false)
        } catch {
            throw RuntimeFailure(
                .internal, "cannot make the actor's directory: \(error.localizedDescription)", mayLieInWorker: true)
        }
        guard lchown(place.durable, root.user, root.user) == 0 else {
            throw RuntimeFailure(.internal, FileError("change the owner of", place.durable).description)
        }
        guard let snapshot = activation.snapshot else { return nil }
        // In an image files can belong to whom they like; on the node's files they all belong to nobody.
        let owner = root.isNodes ? Archive.Owner.user(root.user) : .packed
        let manifest = try runtime.snapshots.read(
            snapshot, into: place.durable, owner: owner, isCancelled: isCancelled)
        guard let memory = manifest.memory else { return nil }
        try check(memory, self.memory(root))
        return try runtime.snapshots.path(of: snapshot)
    }

    private func writeBundle(_ root: RootFileSystem) throws(RuntimeFailure) {
        let variables = try runtime.options.secrets.variables(of: container, activation.workload.template.namespace)
        let bundle = RunscBundle(
            container: container, variables: environment(variables, root), root: root, durable: place.durable,
            networkNamespace: network.path,
            // By another way than a link they must not be seen either; one that is not there yet may come to be.
            hiddenDirectories: (runtime.ownDirectories + [runtime.options.images.directory].compactMap { $0 }).map {
                RealPath.of($0) ?? $0
            })
        try bundle.write(to: place.path)
    }

    /// Whether this node can go on with a memory.
    private func check(_ memory: SnapshotManifest.Memory, _ own: SnapshotManifest.Memory) throws(RuntimeFailure) {
        guard memory.runtime == Runsc.name else {
            throw RuntimeFailure(
                .failedPrecondition,
                "the snapshot holds a memory of \(memory.runtime.excerpt), which \(Runsc.name) cannot read")
        }
        if let version = memory.version, let own = own.version, version != own {
            throw RuntimeFailure(
                .failedPrecondition,
                "the actor was saved by \(version.excerpt), and this node has \(own): resume it on a node with the former"
            )
        }
        if let root = memory.root, let own = own.root, root != own {
            throw RuntimeFailure(
                .failedPrecondition,
                "the actor was saved with other files (\(root.excerpt)) than its container has now (\(own)), and its memory "
                    + "cannot go on with these: give its template the former image again")
        }
        guard memory.port == activation.address.port else {
            throw RuntimeFailure(
                .failedPrecondition,
                "the actor was saved listening on port \(memory.port), and this node's actors are reached at port "
                    + "\(activation.address.port): start its agent with --actor-port \(memory.port)")
        }
    }

    private func environment(_ variables: [String: String], _ root: RootFileSystem) -> [String: String] {
        let workload = activation.workload
        let durable = GVisorLayout.durable(of: container)
        var environment = [
            "PATH": path(root), "HOME": durable, "LANG": "C.UTF-8",
        ]
        environment.merge(variables) { $1 }
        environment.merge([
            "ATE_ACTOR_ID": workload.actor.name, "ATE_ATESPACE": workload.actor.atespace,
            "ATE_ACTOR_UID": workload.actorUID, "ATE_CONTAINER": container.name,
            "ATE_ADDRESS": GVisorLayout.listenAddress, "ATE_PORT": "\(activation.address.port)",
            ActivationDirectory.variable: durable,
        ]) { $1 }
        return environment
    }

    /// On the node's files, programs are found as the agent finds them.
    private func path(_ root: RootFileSystem) -> String {
        let nodes = root.isNodes ? ProcessInfo.processInfo.environment["PATH"] : nil
        return nodes ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    }

    private func startProcess(from memory: String?) async throws(RuntimeFailure) -> ChildProcess {
        var command = runsc.sandbox(from: memory)
        command.output = ProcessOutput(activation, runtime.log).of(container)
        do { return try await ChildProcess.start(command) } catch {
            throw RuntimeFailure(.failedPrecondition, "\(error)", mayLieInWorker: true)
        }
    }

    private func waitUntilReady(_ sandbox: GVisorSandbox) async throws(RuntimeFailure) {
        if container.readiness != nil { return try await ReadyProbe.wait(for: activation, sandbox) }
        let deadline = ContinuousClock.now + ReadyProbe.limit
        while ContinuousClock.now < deadline {
            if let status = sandbox.process.exitStatus {
                throw RuntimeFailure(
                    .failedPrecondition, "a process \(status) before the actor ran", mayLieInWorker: true)
            }
            // Before there is a sandbox this is an error like any other.
            if (try? await runsc.isRunning()) == true { return }
            do { try await Task.sleep(for: .milliseconds(10)) } catch {
                throw RuntimeFailure(.cancelled, "the start was given up")
            }
        }
        throw RuntimeFailure(
            .deadlineExceeded, "the sandbox does not run after \(ReadyProbe.limit)", mayLieInWorker: true)
    }
}
