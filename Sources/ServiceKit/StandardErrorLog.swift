internal import Foundation

extension Log {
    /// One JSON object per line on standard error: `time` (RFC 3339, UTC), `level`, `msg`, then the fields.
    package static func standardError(minimum: Level) -> Log {
        Log(minimum: minimum) { line in
            let members: [(String, JSON)] = [
                ("time", .string(Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))),
                ("level", .string(line.level.name)), ("msg", .string(line.message)),
            ]
            let text = JSON.object(members + line.fields).text() + "\n"
            LineWriter.standardError.write(text)
        }
    }
}
