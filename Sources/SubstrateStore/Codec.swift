package import Etcd
internal import Protobuf

/// Values in etcd: a message of `proto/substrate/store.proto` behind a magic prefix.
package enum Codec {
    /// Tells our values from anything else.
    private static let signature = Array("ate".utf8)
    /// The number of the schema. A later version that only adds fields keeps it: programs that do not know them pass them on.
    /// One that changes what a field means raises it, so that programs from before leave its records alone.
    package static let format: UInt8 = 1
    /// What each value begins with.
    package static let magic = signature + [format]
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
        guard pair.value.starts(with: signature), pair.value.count > signature.count else {
            throw .unreadable(key: "\(pair.key)", reason: "it does not begin with the magic of a record of this system")
        }
        guard pair.value[signature.count] == format else {
            let reason =
                "it has schema \(pair.value[signature.count]), and this program knows schema \(format) alone; "
                + "run the version that has written it"
            throw .unreadable(key: "\(pair.key)", reason: reason)
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
