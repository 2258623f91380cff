internal import Glibc

/// Segments of TCP as bytes.
enum TCPSegment {
    /// What a segment is.
    enum Flag: UInt16 {
        /// It asks for a connection.
        case syn = 0x02
        /// It is of a connection.
        case ack = 0x10
    }

    /// The header of a segment without data.
    static func header(
        _ flag: Flag, from source: in_addr, port sourcePort: UInt16, to target: in_addr, port targetPort: UInt16,
        number: UInt32
    ) -> [UInt8] {
        let words: [UInt16] = [
            sourcePort, targetPort, UInt16(number >> 16), UInt16(truncatingIfNeeded: number), 0, 0,
            // Five words of header, and the flag; then the window, the checksum's place, and no urgent data.
            5 << 12 | flag.rawValue, 0xffff, 0, 0,
        ]
        // RFC 9293: over both addresses, the protocol, the length, and the segment.
        let addresses = [source.s_addr, target.s_addr].map(UInt32.init(bigEndian:)).flatMap {
            [UInt16($0 >> 16), UInt16(truncatingIfNeeded: $0)]
        }
        let pseudoHeader = addresses + [UInt16(IPPROTO_TCP), UInt16(words.count * 2)]
        var segment = words
        segment[8] = checksum(pseudoHeader + words)
        return segment.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
    }

    private static func checksum(_ words: [UInt16]) -> UInt16 {
        var sum = words.reduce(UInt32(0)) { $0 + UInt32($1) }
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        return ~UInt16(sum)
    }
}
