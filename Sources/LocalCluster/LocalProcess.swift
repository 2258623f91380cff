internal import Foundation
package import Processes
internal import Synchronization

/// One program of a local cluster, with its output in a file.
package final class LocalProcess: Sendable {
    package let name: String
    package let process: ChildProcess
    /// The file with everything it has written.
    package let logFile: String

    private init(name: String, process: ChildProcess, logFile: String) {
        self.name = name
        self.process = process
        self.logFile = logFile
    }

    /// Starts a program; what it writes is appended to `<name>.log` in the directory.
    package static func start(
        _ name: String, _ program: String, _ arguments: [String], logs directory: String,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) async throws -> LocalProcess {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let file = "\(directory)/\(name).log"
        if !FileManager.default.fileExists(atPath: file) {
            _ = FileManager.default.createFile(atPath: file, contents: nil)
        }
        guard let handle = FileHandle(forWritingAtPath: file) else { throw ClusterError("cannot write \(file)") }
        handle.seekToEndOfFile()
        let output = Mutex(handle)
        let process = try await ChildProcess.start(
            Command(
                program, arguments, environment: environment,
                output: .lines { line in output.withLock { $0.write(Data("\(line)\n".utf8)) } }))
        return LocalProcess(name: name, process: process, logFile: file)
    }

    /// Waits until `isReady` says so.
    /// - Throws: `ClusterError` with the last lines of its output when it ends before, or does not get ready in time.
    package func wait(
        until what: String, within limit: Duration = .seconds(30), _ isReady: () async -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + limit
        while await !isReady() {
            if let status = process.exitStatus {
                throw ClusterError("\(name) \(status) before it could \(what):\n\(lastLines)")
            }
            if ContinuousClock.now > deadline {
                throw ClusterError("\(name) was not seen to \(what) within \(limit):\n\(lastLines)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// The end of its output, for messages.
    package var lastLines: String {
        let text = FileManager.default.contents(atPath: logFile).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(separator: "\n").suffix(8).map { "    \($0)" }.joined(separator: "\n")
    }
}
