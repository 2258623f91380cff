internal import Foundation
internal import GRPC
internal import Processes
internal import SubstrateModel

/// The commands of runsc for one sandbox.
struct Runsc: Sendable {
    let place: ActivationDirectory
    /// For what runsc notes of the sandbox, and for answers of tools: on no disk.
    let notes: String
    let network: WorkerNetwork
    let cgroup: ActorCgroup
    /// In the environment of everything that is started, so that it is found.
    let environment: [String: String]

    /// Of the sandbox: it has to be unique in the worker's network namespace, where the sandbox has its socket.
    private var id: String { "a\(place.activation.epoch)" }

    /// Removes all files of the activation. Blocks.
    func removeFiles() {
        try? FileManager.default.removeItem(atPath: notes)
        place.remove()
    }

    /// What memory is saved by, in the manifests of snapshots.
    static let name = "gvisor"

    private var flags: [String] {
        [
            // The activation's own, so that all of it goes with that. runsc writes its notes anew in place: where there is no
            // room they would be gone.
            "--root=\(notes)/runsc",
            // We have one of our own, in which runsc is started.
            "--ignore-cgroups", "--network=sandbox",
            // What is written to the root file system is part of the memory.
            "--overlay2=root:memory",
        ]
    }

    /// Runs the sandbox for as long as it lasts.
    /// - Parameter image: the directory of a saved memory to go on with; nil to begin anew.
    func sandbox(from image: String?) -> Command {
        // runsc refuses to work where a file of the kernel's network settings shows that newer kernels show in every
        // namespace, so it does not get to see these.
        let cover = ["/proc/sys/net/core", GVisorLayout.mountRoot].map { "mount -t tmpfs tmpfs \($0); " }.joined()
        let enter =
            "n=$1; shift; while [ $n -gt 0 ]; do echo $$ >\"$1/cgroup.procs\"; shift; n=$((n - 1)); done; exec \"$@\""
        let action = image.map { ["restore", "--image-path=\($0)"] } ?? ["run"]
        return Command(
            "/bin/sh",
            ["-ec", enter, "sh", "\(cgroup.paths.count)"] + cgroup.paths.reversed() + inNetwork
                + ["unshare", "--mount", "--propagation=private", "sh", "-ec", cover + "exec \"$@\"", "sh", "runsc"]
                + flags + action
                + ["--bundle=\(place.path)", id],
            environment: environment, directory: place.path)
    }

    /// Saves its memory into a directory, and ends it.
    /// - Parameters:
    ///   - limit: for as much as it may be, on a slow disk.
    ///   - begun: called with the pid of the program that asks the sandbox for it, when that has been started.
    func checkpoint(
        to image: String, within limit: Duration, begun: (Int32) async throws(RuntimeFailure) -> Void
    ) async throws(RuntimeFailure) {
        try await call(
            ["checkpoint", "--image-path=\(image)", id], to: "save the actor's memory", within: limit, begun: begun)
    }

    /// Whether it runs, or is about to.
    func isRunning() async throws(RuntimeFailure) -> Bool {
        let state = try await call(["state", id], to: "look at the sandbox")
        return state.contains("\"status\": \"running\"")
    }

    @discardableResult
    private func call(
        _ arguments: [String], to purpose: String, within limit: Duration = ShortCommand.limit,
        begun: (Int32) async throws(RuntimeFailure) -> Void = { _ in }
    ) async throws(RuntimeFailure) -> String {
        let command = inNetwork + ["runsc"] + flags + arguments
        return try await ShortCommand.run(
            command[0], Array(command.dropFirst()), environment: environment, to: purpose, within: limit,
            isHeld: { [cgroup] pid in
                // By the watchdog, while the node's lease is in doubt, as the sandbox is that it waits for.
                ProcessTable.isStopped(pid) && !cgroup.processes.isEmpty
            }, begun: begun)
    }

    /// The sandbox's socket is in its network namespace.
    private var inNetwork: [String] { ["nsenter", "--net=\(network.path)"] }
}
