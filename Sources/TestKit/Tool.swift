internal import Foundation
internal import LocalCluster
internal import Processes

/// Runs a command line tool to its end.
package enum Tool {
    /// - Throws: `ClusterError` with the last lines of its output when it fails.
    package static func run(
        _ program: String, _ arguments: [String], logs directory: String, environment: [String: String]? = nil
    ) async throws {
        let tool = try await LocalProcess.start(
            program, program, arguments, logs: directory,
            environment: environment ?? ProcessInfo.processInfo.environment)
        let status = await tool.process.wait()
        if status != .exited(code: 0) {
            throw ClusterError("\(program) \(arguments.joined(separator: " ")): \(tool.lastLines)")
        }
    }

    /// Runs etcdctl against a server.
    package static func etcdctl(_ endpoint: String, _ arguments: [String], logs directory: String) async throws {
        try await run(
            "etcdctl", ["--endpoints", endpoint] + arguments, logs: directory, environment: ["ETCDCTL_API": "3"])
    }

    /// Runs a program to its end.
    /// - Returns: what it wrote.
    /// - Throws: `ClusterError` when it fails.
    package static func output(_ program: String, _ arguments: [String]) async throws -> String {
        let directory = TemporaryDirectory()
        let name = "output"
        let tool = try await LocalProcess.start(name, program, arguments, logs: directory.path)
        let status = await tool.process.wait()
        guard status == .exited(code: 0) else { throw ClusterError("\(program): \(tool.lastLines)") }
        return FileManager.default.contents(atPath: tool.logFile).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
