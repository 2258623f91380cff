/// Where log lines go. A value to pass around; what becomes of a line is the sink's business.
package struct Log: Sendable {
    package enum Level: Int, Sendable, Comparable, CaseIterable {
        case debug, info, warning, error

        package static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }

        /// The name in a log line and as a flag's value.
        package var name: String {
            switch self {
            case .debug: "debug"
            case .info: "info"
            case .warning: "warn"
            case .error: "error"
            }
        }
    }

    /// One line: what happened, and to what.
    package struct Line: Sendable {
        package var level: Level
        package var message: String
        package var fields: [(String, JSON)]
    }

    /// Nil when everything is dropped.
    private let minimum: Level?
    private let sink: @Sendable (Line) -> Void

    package init(minimum: Level? = .info, sink: @escaping @Sendable (Line) -> Void) {
        self.minimum = minimum
        self.sink = sink
    }

    /// Drops everything.
    package static let none = Log(minimum: nil) { _ in }

    // Fields of lines that are not written are not made.

    package func debug(_ message: String, _ fields: @autoclosure () -> KeyValuePairs<String, JSON> = [:]) {
        write(.debug, message, fields)
    }
    package func info(_ message: String, _ fields: @autoclosure () -> KeyValuePairs<String, JSON> = [:]) {
        write(.info, message, fields)
    }
    package func warning(_ message: String, _ fields: @autoclosure () -> KeyValuePairs<String, JSON> = [:]) {
        write(.warning, message, fields)
    }
    package func error(_ message: String, _ fields: @autoclosure () -> KeyValuePairs<String, JSON> = [:]) {
        write(.error, message, fields)
    }

    private func write(_ level: Level, _ message: String, _ fields: () -> KeyValuePairs<String, JSON>) {
        guard let minimum, level >= minimum else { return }
        write(level, message, fields().map { ($0.key, $0.value) })
    }

    /// A line whose fields, and whose level, depend on what happened.
    package func write(_ level: Level, _ message: String, _ fields: [(String, JSON)]) {
        guard let minimum, level >= minimum else { return }
        var fields = fields
        if let trace = TraceContext.current { fields.append((TraceContext.logField, .string(trace.traceID))) }
        sink(Line(level: level, message: message, fields: fields))
    }
}

extension JSON {
    /// A field that is some value's description.
    package static func text(_ value: some CustomStringConvertible) -> JSON { .string(value.description) }
}
