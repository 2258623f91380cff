import Etcd
import GRPC
import Glibc
import NodeAgent
import ServiceKit
import SubstrateModel

/// The flags that say how actors are run.
enum RuntimeFlags {
    static func declare(in flags: inout Flags) {
        flags.choice(
            "runtime", ["auto", "gvisor", "process"], default: "auto",
            help:
                "What runs the actors. gvisor: a sandbox each, with a network of its own, whose memory can be saved; needs root and runsc. process: processes, kept apart by bubblewrap where it works, whose snapshots hold their durable directory only. auto: gvisor where a process could be run, saved and restored at the start, else process; the log says why."
        )
        flags.text(
            "images", "DIRECTORY",
            help:
                "With gvisor: where images lie, each as the OCI archive sha256-DIGEST.tar or the root directory sha256-DIGEST, for containers whose image ends in @sha256:DIGEST, and whatever other root directories containers may name with 'rootfs:' and their path. Without it containers have the node's own files."
        )
        flags.number(
            "actor-memory", 128...1_048_576, default: 1024,
            help:
                "With gvisor: how many MiB of memory an actor may use, with about 80 for its sandbox. One that needs more is killed, and goes on from its last snapshot."
        )
        flags.number(
            "actor-cpu", 0...1_024_000, default: 0,
            help: "With gvisor: thousandths of a processor that an actor may use; 0 for as many as there are.")
        flags.text(
            "secrets", "DIRECTORY",
            help:
                "Where the values of secrets lie that templates refer to, each as the whole of the file NAMESPACE/NAME/KEY. Read anew at every start of an actor. Without it there are none."
        )
        flags.text(
            "actor-addresses", "SUBNET",
            help:
                "Addresses of actors; each start of one gets another. Agents of one machine need subnets that do not overlap; without --router-address, all of an installation. At least 64 addresses for each worker. With gvisor a subnet that nothing else uses, 198.18.0.0/16 unless given; else one of 127.0.0.0/8, 127.1.0.0/16 unless given."
        )
    }

    /// The runtime that the flags ask for.
    /// - Throws: why there is no gVisor, when it was asked for.
    static func runtime(
        _ values: Flags.Values, _ directory: StateDirectory, _ snapshots: SnapshotDirectory,
        _ watchdog: ProcessWatchdog, _ log: Log
    ) async throws -> any Runtime {
        let secretsPath = try values.optional("secrets") == nil ? nil : Atelet.path(values, "secrets")
        let secrets = SecretDirectory(path: secretsPath)
        let choice = try values.text("runtime")
        if choice == "auto", isLoopback(values.optional("actor-addresses")) == true {
            log.info("actors run as processes, without a sandbox, since --actor-addresses is of 127.0.0.0/8")
        } else if choice != "process" {
            let images = try values.optional("images") == nil ? nil : Atelet.path(values, "images")
            let cpu = try values.number("actor-cpu")
            let options = GVisorRuntime.Options(
                secrets: secrets, images: ImageStore(directory: images, cache: "\(directory.path)/images"),
                subnets: [try addresses(values, port: 0, workers: try values.number("workers"), .gvisor).subnet],
                memoryLimit: try values.number("actor-memory") << 20, processorLimit: cpu == 0 ? nil : cpu,
                hiddenDirectories: [secretsPath].compactMap { $0 })
            let runtime = GVisorRuntime(directory: directory, snapshots: snapshots, options: options, log: log)
            do {
                try await selfTest(runtime, watchdog)
                log.info("actors run in gVisor: its self-test has passed")
                return runtime
            } catch {
                if choice == "gvisor" { throw error }
                log.warning(
                    "actors run as processes, without a sandbox and without memory in their snapshots, since the self-test of gVisor fails",
                    ["reason": .string("\(error)")])
            }
        }
        await removeNetworks(directory, snapshots, log)
        let hidden = [directory.path, snapshots.root] + [secretsPath].compactMap { $0 }
        return ProcessRuntime(
            directory: directory, snapshots: snapshots, secrets: secrets,
            bubblewrap: await Bubblewrap.ifUsable(hiding: hidden, log), log: log)
    }

    /// Beside a watchdog of our own: that of an agent before us may still be killing everything that bears our mark. Twice,
    /// since a machine that is busy for a moment is not to decide for the agent's whole life.
    private static func selfTest(_ runtime: GVisorRuntime, _ watchdog: ProcessWatchdog) async throws {
        try await watchdog.start()
        for isLast in [false, true] {
            let hold = LeaseHold(duration: selfTestLimit, sinceSent: ContinuousClock().stopwatch())
            guard await watchdog.begin(hold) else { throw WatchdogError("the watchdog does not answer") }
            do {
                try await runtime.selfTest()
                break
            } catch {
                if isLast || Task.isCancelled { throw error }
            }
        }
        // Until there is a lease.
        await watchdog.freeze()
    }

    /// Removes what an agent that ran actors in gVisor has left: nobody else will. But for the route that keeps requests for its
    /// addresses on this machine, which another agent may need.
    private static func removeNetworks(
        _ directory: StateDirectory, _ snapshots: SnapshotDirectory, _ log: Log
    ) async {
        let earlier = GVisorRuntime(
            directory: directory, snapshots: snapshots, options: GVisorRuntime.Options(subnets: []), log: log)
        guard getuid() == 0, earlier.hasLeftovers else { return }
        do { try await earlier.killAll() } catch {
            log.warning(
                "cannot remove the networks of earlier actors in gVisor; 'atelet clear' tries it again",
                ["reason": .string("\(error)")])
        }
    }

    /// More than every limit of a self-test together.
    private static let selfTestLimit = Duration.seconds(600)

    /// Nil when it is no subnet.
    private static func isLoopback(_ subnet: String?) -> Bool? {
        subnet.flatMap { AddressRange(subnet: $0, port: 0) }?.isLoopback
    }

    /// Where actors of the class are reached. When the class was left to the agent, addresses that were meant for the other
    /// one give way to those that are used where none are given.
    static func addresses(
        _ values: Flags.Values, port: Int, workers: Int, _ sandboxClass: SandboxClass
    ) throws(FlagError) -> AddressRange {
        let isLoopback = sandboxClass == .process
        var given = values.optional("actor-addresses")
        if try values.text("runtime") == "auto", Self.isLoopback(given) == !isLoopback { given = nil }
        let subnet = given ?? (isLoopback ? "127.1.0.0/16" : "198.18.0.0/16")
        guard let range = AddressRange(subnet: subnet, port: port), range.isLoopback == isLoopback else {
            throw FlagError(
                "--actor-addresses \(subnet): must be a subnet "
                    + (isLoopback
                        ? "of 127.0.0.0/8, for example 127.1.0.0/16"
                        : "outside of 127.0.0.0/8 with gvisor, for example 198.18.0.0/16"))
        }
        let needed = NodeOptions.addressesNeeded(workers: workers)
        guard range.count >= needed else {
            throw FlagError(
                "--actor-addresses \(subnet): \(workers) workers need at least \(needed) addresses, of which it has "
                    + "\(range.count)")
        }
        return range
    }
}
