internal import Foundation
internal import Glibc

/// Where a command was started from: what it is told, and where it says something.
struct Terminal: Sendable {
    var environment: [String: String]
    /// Whether what is written is read by a person who sees colours.
    var showsColours: Bool
    /// Writes to standard output, at once.
    var writeBytes: @Sendable ([UInt8]) throws -> Void
    /// Writes to standard error.
    var complain: @Sendable (String) -> Void

    /// Writes to standard output, at once.
    func write(_ text: String) throws { try writeBytes(Array(text.utf8)) }

    /// The one of this process.
    static var standard: Terminal {
        let environment = ProcessInfo.processInfo.environment
        return Terminal(
            environment: environment,
            showsColours: isatty(STDOUT_FILENO) == 1 && environment["NO_COLOR", default: ""].isEmpty
                && environment["TERM"] != "dumb",
            writeBytes: { bytes in
                do {
                    try FileHandle.standardOutput.write(contentsOf: Data(bytes))
                } catch {
                    throw CommandError("standard output cannot be written: \(error.localizedDescription)")
                }
            },
            complain: { try? FileHandle.standardError.write(contentsOf: Data($0.utf8)) })
    }
}
