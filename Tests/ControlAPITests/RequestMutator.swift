import GRPC
import TestKit

/// Makes requests that nobody should send out of ones that clients do send. The same seed makes the same requests.
struct RequestMutator {
    /// A request as it goes out.
    struct Request: CustomStringConvertible {
        var path: String
        var bytes: [UInt8]
        var metadata: Metadata

        /// All that is needed to send it again.
        var description: String { "\(path) \(bytes.map { Self.hex($0) }.joined()) \(metadata.entries)" }

        private static func hex(_ byte: UInt8) -> String {
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }
    }

    private static let maximumBytes = 4096
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func next() -> Request {
        let method = pick(WireRequests.all)
        // The bytes of one method for another, now and then.
        let source = chance(of: 10) ? pick(WireRequests.all) : method
        var bytes = pick(source.requests)
        for _ in 0..<Int.random(in: 0...4, using: &generator) { mutate(&bytes) }
        return Request(path: method.path, bytes: Array(bytes.prefix(Self.maximumBytes)), metadata: metadata())
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        let place = Int.random(in: 0...bytes.count, using: &generator)
        let byte = UInt8.random(in: .min ... .max, using: &generator)
        switch Int.random(in: 0..<10, using: &generator) {
        case 0 where place < bytes.count: bytes[place] ^= 1 << (byte & 7)
        case 1: bytes.removeSubrange(place...)
        // Often a length or a tag.
        case 2 where place < bytes.count: bytes[place] = byte
        case 3: bytes.insert(byte, at: place)
        case 4: bytes.insert(contentsOf: [UInt8](repeating: 0xff, count: 10), at: place)
        case 5: bytes.insert(contentsOf: [0xc0, 0xaf, 0xed, 0xa0, 0x80], at: place)
        case 6: bytes.insert(0, at: place)
        case 7: bytes = nested(bytes, depth: Int(byte))
        case 8: bytes += bytes.suffix(from: place)
        default:
            for _ in 0..<Int(byte) { bytes.append(.random(in: .min ... .max, using: &generator)) }
        }
    }

    /// Messages within messages, with lengths that are right as long as they fit into a byte.
    private func nested(_ bytes: [UInt8], depth: Int) -> [UInt8] {
        var nested = bytes
        for _ in 0..<depth { nested = [0x0a, UInt8(truncatingIfNeeded: nested.count)] + nested.prefix(255) }
        return nested
    }

    private mutating func metadata() -> Metadata {
        var metadata = Metadata()
        guard chance(of: 4) else { return metadata }
        let word = String(UInt64.random(in: .min ... .max, using: &generator), radix: 36)
        metadata.append("authorization", pick(["", "Bearer", "Bearer \(word)", "bearer a.b.c", "Basic \(word)"]))
        metadata.append(pick(["wait", "x-\(word)", "traceparent"]), pick(["true", "", word, "00-\(word)-01"]))
        let size = Int.random(in: 0...64, using: &generator)
        var noise: [UInt8] = []
        for _ in 0..<size { noise.append(.random(in: .min ... .max, using: &generator)) }
        metadata.append("noise-bin", binary: noise)
        return metadata
    }

    private mutating func chance(of one: Int) -> Bool { Int.random(in: 0..<one, using: &generator) == 0 }

    private mutating func pick<Element>(_ choices: [Element]) -> Element {
        choices[Int.random(in: choices.indices, using: &generator)]
    }
}
