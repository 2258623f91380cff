package import Etcd
internal import Protobuf

/// Values in etcd: a message of `proto/substrate/store.proto` behind a magic prefix.
package enum Codec {
    /// Tells our values from anything else; the last byte is the format's number.
    package static let magic: [UInt8] = [0x61, 0x74, 0x65, 0x01]
    /// Largest value, in bytes.
    package static let maximumSize = 64 << 10

    static func encode<Value: StoredValue>(_ value: Value, for key: Key) throws(StoreError) -> [UInt8] {
        let bytes = value.record(after: magic)
        guard bytes.count <= maximumSize else { throw .tooLarge(key: "\(key)", bytes: bytes.count) }
        return bytes
    }

    /// How many bytes the value takes.
    package static func size<Value: StoredValue>(_ value: Value) -> Int { value.record(after: magic).count }

    package static func decode<Value: StoredValue>(_ pair: KeyValue, as type: Value.Type = Value.self)
        throws(StoreError) -> Stored<Value>
    {
        guard pair.value.starts(with: magic) else {
            throw .unreadable(key: "\(pair.key)", reason: "it does not begin with the magic of this format")
        }
        do {
            let value = try pair.value.dropFirst(magic.count).withUnsafeBytes { try Value(record: $0) }
            return Stored(
                value: value, createRevision: pair.createRevision, modRevision: pair.modRevision, version: pair.version)
        } catch {
            throw .unreadable(key: "\(pair.key)", reason: "\(error)")
        }
    }
}

extension WatchEvent {
    /// What was put, decoded; nil for a deletion.
    package func row<Value: StoredValue>() throws(StoreError) -> Stored<Value>? {
        guard case .put(let pair, _) = self else { return nil }
        return try Codec.decode(pair)
    }
}

/// A value that has a record of its own in etcd.
package protocol StoredValue: Sendable, Equatable {
    /// Reads the record.
    /// - Throws: `MalformedMessage` or `InvalidText`.
    init(record bytes: UnsafeRawBufferPointer) throws

    /// The record's bytes, behind `prefix`.
    func record(after prefix: [UInt8]) -> [UInt8]
}
