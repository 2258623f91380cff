import Foundation
import LocalCluster
internal import Processes
import ServiceKit

/// `ate-local with COMMAND`: runs a command beside a system of its own, which is stopped when the command has ended.
enum CommandRun {
    /// - Parameter command: the program, found in PATH, and its arguments. It finds the addresses in `ATE_API`,
    ///   `ATE_ROUTER` and `ATE_ETCD`, and the example's manifest in `ATE_MANIFEST`.
    /// - Throws: `ClusterError` when the system does not start, or the command fails.
    static func run(_ command: [String]) async throws {
        let directory = NSTemporaryDirectory() + "substrate-with-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let stack = try await LocalStack.start(
            directory: directory, programs: AteLocal.programs, addressBlock: 1 + Int(getpid()) % 200)
        let status: ExitStatus?
        do {
            var environment = ProcessInfo.processInfo.environment
            environment["ATE_API"] = stack.apiAddress
            environment["ATE_ROUTER"] = stack.routerAddress
            environment["ATE_ETCD"] = stack.etcdAddress
            environment["ATE_MANIFEST"] = try stack.manifest(of: AteLocal.example)
            let process = try await ChildProcess.start(
                Command("/usr/bin/env", command, environment: environment, output: .inherit))
            status = await process.wait()
            if status == nil { await process.stop(grace: .seconds(5)) }
        } catch {
            await uncancelled { await stack.stop() }
            throw error
        }
        await uncancelled { await stack.stop() }
        guard let status else { throw CancellationError() }
        guard status == .exited(code: 0) else {
            throw ClusterError("\(command.joined(separator: " ")) \(status)")
        }
    }
}
