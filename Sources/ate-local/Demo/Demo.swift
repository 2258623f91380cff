import Foundation
import GRPC
import LocalCluster
import ServiceKit

/// `make demo`: a helpdesk's story in ten beats, against the whole system.
enum Demo {
    static func run() async throws {
        let begun = ContinuousClock.now
        let directory = NSTemporaryDirectory() + "substrate-demo-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let (stack, isSandboxed) = try await start(in: directory)
        print(
            "etcd, two replicas of ateapi, \(stack.nodes.count) nodes with \(LocalStack.workersPerNode) workers each and "
                + "the router serve after \((.now - begun).short)\n")
        do {
            try await Helpdesk(stack: stack, hasMemory: isSandboxed).tell()
        } catch {
            await uncancelled { await stack.stop() }
            throw error
        }
        await stack.stop()
        print("\nEvery claim held. Everything has been stopped. It took \((.now - begun).short).")
    }

    /// With gVisor where that works, and otherwise with plain processes.
    private static func start(in directory: String) async throws -> (LocalStack, isSandboxed: Bool) {
        do {
            if getuid() != 0 { throw ClusterError("it needs root") }
            return (try await start(.gvisor, in: directory), true)
        } catch let error as ClusterError {
            print(
                """
                gVisor cannot be used here: \(error)
                The story is told with plain processes. They have no memory in their snapshots and no sandbox around them, so
                that is left out: what alice remembers in beats 6, 8 and 9, and beat 7.

                """)
            try? FileManager.default.removeItem(atPath: directory)
            return (try await start(.process, in: directory), false)
        }
    }

    private static func start(_ runtime: LocalStack.Runtime, in directory: String) async throws -> LocalStack {
        try await LocalStack.start(
            LocalStack.Shape(nodes: 3, replicas: 2, runtime: runtime), directory: directory,
            programs: AteLocal.programs, addressBlock: 1 + Int(getpid()) % 200)
    }
}

extension Duration {
    var short: String { formatted(.units(allowed: [.seconds, .milliseconds], width: .narrow)) }
}
