import Testing

/// Reads messages by hand, field by field, to compare what the server sends with the tables of the wire contract.
struct WireReader {
    enum Value: Equatable {
        case number(UInt64)
        case bytes([UInt8])
    }

    /// The values of each field, in their order.
    private(set) var fields: [Int: [Value]] = [:]

    struct Malformed: Error {}

    init(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let tag = try Self.varint(&rest)
            switch tag & 7 {
            case 0: fields[Int(tag >> 3), default: []].append(.number(try Self.varint(&rest)))
            case 2:
                let length = Int(try Self.varint(&rest))
                guard length <= rest.count else { throw Malformed() }
                fields[Int(tag >> 3), default: []].append(.bytes(Array(rest.prefix(length))))
                rest = rest.dropFirst(length)
            default: throw Malformed()
            }
        }
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw Malformed() }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        throw Malformed()
    }

    /// The numbers of the fields that are there.
    var numbers: Set<Int> { Set(fields.keys) }

    /// The text of a field that is there once.
    func text(_ number: Int) -> String? {
        guard let values = fields[number], values.count == 1, case .bytes(let bytes) = values[0] else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    func number(_ field: Int) -> UInt64? {
        guard let values = fields[field], values.count == 1, case .number(let value) = values[0] else { return nil }
        return value
    }

    /// The messages of a repeated field.
    func messages(_ number: Int) throws -> [WireReader] {
        try (fields[number] ?? []).map { value in
            guard case .bytes(let bytes) = value else { throw Malformed() }
            return try WireReader(bytes)
        }
    }

    /// The message of a field that is there once.
    func message(_ number: Int) throws -> WireReader {
        let messages = try messages(number)
        try #require(messages.count == 1, "field \(number)")
        return messages[0]
    }
}
