import Foundation
import Processes
import Synchronization
import TestKit

/// Prometheus' own tool, which is strict about formats.
enum Promtool {
    private static let path = "/usr/bin/promtool"

    static var isThere: Bool { FileManager.default.isExecutableFile(atPath: path) }

    /// Runs it, with a text for its standard input.
    /// - Throws: `DidNotHappen` with what it says when it finds anything wrong.
    static func run(_ arguments: [String], input: String? = nil) async throws {
        let files = TemporaryDirectory()
        let file = "\(files.path)/input"
        try Data((input ?? "").utf8).write(to: URL(fileURLWithPath: file))
        let lines = Mutex<[String]>([])
        let process = try await ChildProcess.start(
            Command(
                "/bin/sh", ["-c", "exec \"$0\" \"$@\" <'\(file)'", path] + arguments,
                environment: ProcessInfo.processInfo.environment,
                output: .lines { line in lines.withLock { $0.append(line) } }))
        let status = await process.wait()
        guard status == .exited(code: 0) else {
            let said = lines.withLock { $0.joined(separator: "\n") }
            throw DidNotHappen(description: "promtool \(arguments.joined(separator: " ")): \(said)")
        }
    }
}
