public import CProtobufC
public import GRPC

/// Reads a message and lends it for the duration of `body`. Fields that this build does not know are kept in it.
/// - Throws: `MalformedMessage` when the bytes are not such a message, and what `body` throws.
@inlinable
public func unpack<M: ProtobufMessage, Result>(
    _ type: M.Type, from bytes: UnsafeRawBufferPointer, _ body: (borrowing M) throws -> Result
) throws -> Result {
    var result: Result?
    try lendUnpacked(bytes, { $0.build(M.self) { _, _ in } }) {
        result = try body($0.assumingMemoryBound(to: M.self).pointee)
    }
    // Without a result it has thrown.
    return result.unsafelyUnwrapped
}

/// - Parameter model: makes a message of the kind that the bytes are read as.
@usableFromInline
func lendUnpacked(
    _ bytes: UnsafeRawBufferPointer, _ model: (Arena) -> UnsafePointer<ProtobufCMessage>,
    _ body: (UnsafeRawPointer) throws -> Void
) throws {
    // A few bytes on the wire can become a large struct, so what a sender can make us allocate is tied to what it sent.
    // The largest ratio of real messages is about 8: a key without a value in an answer of etcd.
    try Arena.lend(limit: 16 * bytes.count + 65536) { arena in
        let descriptor = model(arena).pointee.descriptor
        var allocator = arena.allocator
        let data = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard let message = protobuf_c_message_unpack(descriptor, &allocator, bytes.count, data) else {
            let name = descriptor.map { String(cString: $0.pointee.name) } ?? "?"
            throw MalformedMessage(name: name, reason: "it is truncated, or a field has the wrong type")
        }
        try body(UnsafeRawPointer(message))
    }
}

extension Message {
    /// Reads the message and lends it for the duration of `body`.
    /// - Throws: `MalformedMessage` when the bytes are not such a message, and what `body` throws.
    @inlinable
    public func unpack<M: ProtobufMessage, Result>(
        _ type: M.Type, _ body: (borrowing M) throws -> Result
    ) throws -> Result {
        try withBytes { bytes throws in try Protobuf.unpack(type, from: bytes, body) }
    }
}
