/// What a child has written, and what became of it.
package enum OutputEvent: Sendable, Equatable {
    package enum Stream: Sendable, Equatable, CaseIterable {
        case standardOutput
        case standardError
    }

    /// A line without its end, or a piece of a long one.
    case line([UInt8], Stream)
    /// So many lines were left out here, because there were too many.
    case leftOut(lines: Int, Stream)
    /// The child has ended, and what it has written last has come.
    case ended

    /// What is shown in place of lines that were left out.
    package static func note(leftOut lines: Int) -> String {
        "[\(lines) lines of output left out: more than \(OutputLimit.bytesPerSecond >> 10) KiB in a second]"
    }

    /// The line, or what is shown in its place; nil at the end.
    var text: String? {
        switch self {
        case .line(let bytes, _): String(decoding: bytes, as: UTF8.self)
        case .leftOut(let lines, _): OutputEvent.note(leftOut: lines)
        case .ended: nil
        }
    }
}
