/// Cuts a stream of bytes into lines, with a bound on what it keeps.
struct LineSplitter {
    /// Longest line passed on in one piece, in bytes.
    static let maximumLength = 16 << 10

    private let handler: (String) -> Void
    private var pending: [UInt8] = []

    init(_ handler: @escaping (String) -> Void) { self.handler = handler }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                flush()
            } else {
                pending.append(byte)
                if pending.count == Self.maximumLength { flush() }
            }
        }
    }

    /// Passes on a last line without an end.
    mutating func end() { if !pending.isEmpty { flush() } }

    private mutating func flush() {
        handler(String(decoding: pending, as: UTF8.self))
        pending.removeAll(keepingCapacity: true)
    }
}
