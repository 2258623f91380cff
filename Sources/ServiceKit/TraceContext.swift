/// The trace that a request belongs to, as W3C Trace Context has it: taken from who asks, passed on to who is asked, and
/// named in the log. None is begun here, and no spans are: whoever wants them puts a tracing proxy in between.
package struct TraceContext: Sendable, Equatable {
    /// The names of its two headers.
    package static let parentHeader = "traceparent"
    package static let stateHeader = "tracestate"

    /// What the id of the trace is called in log lines.
    package static let logField = "trace"

    /// Of the request that is being handled.
    @TaskLocal package static var current: TraceContext?

    /// The header `traceparent`, as it came.
    package let parent: String
    /// The header `tracestate`, as it came, if it can be passed on.
    package let state: String?

    /// The id of the trace: 32 hexadecimal digits.
    package var traceID: String { String(parent.dropFirst(3).prefix(32)) }

    /// Longest `tracestate` that is passed on; what is longer may be left out.
    private static let longestState = 512

    /// Nil for headers that name no trace: the specification wants such to be ignored.
    package init?(parent: String?, state: String? = nil) {
        guard let parent, Self.isValid(Array(parent.utf8)) else { return nil }
        self.parent = parent
        self.state = state.flatMap { state in
            let isPrintable = state.utf8.allSatisfy { (0x20...0x7e).contains($0) }
            return isPrintable && !state.isEmpty && state.utf8.count <= Self.longestState ? state : nil
        }
    }

    /// `version-trace-parent-flags`, in lower-case hexadecimal. Later versions may have more behind that.
    private static func isValid(_ bytes: [UInt8]) -> Bool {
        let dash = UInt8(ascii: "-")
        guard bytes.count >= 55, bytes.count <= 128, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash else {
            return false
        }
        let (version, trace, parent) = (bytes[..<2], bytes[3..<35], bytes[36..<52])
        guard [version, trace, parent, bytes[53..<55]].allSatisfy({ $0.allSatisfy(isHexadecimal) }) else {
            return false
        }
        if version.elementsEqual("ff".utf8) || trace.allSatisfy({ $0 == UInt8(ascii: "0") })
            || parent.allSatisfy({ $0 == UInt8(ascii: "0") })
        {
            return false
        }
        if bytes.count == 55 { return true }
        return !version.elementsEqual("00".utf8) && bytes[55] == dash
            && bytes[55...].allSatisfy { (0x21...0x7e).contains($0) }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
