internal import Foundation
internal import Glibc

/// Where a command was started from: what it is told, and where it says something.
struct Terminal: Sendable {
    var environment: [String: String]
    /// Whether what is written is read by a person who sees colours.
    var showsColours: Bool
    /// Writes to standard output, at once.
    var write: @Sendable (String) throws -> Void
    /// Writes to standard error.
    var complain: @Sendable (String) -> Void

    /// The one of this process.
    static var standard: Terminal {
        let environment = ProcessInfo.processInfo.environment
        return Terminal(
            environment: environment,
            showsColours: isatty(STDOUT_FILENO) == 1 && environment["NO_COLOR", default: ""].isEmpty
                && environment["TERM"] != "dumb",
            write: { text in
                do {
                    try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
                } catch {
                    throw CommandError("standard output cannot be written: \(error.localizedDescription)")
                }
            },
            complain: { FileHandle.standardError.write(Data($0.utf8)) })
    }
}
