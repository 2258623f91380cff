internal import CProtobufC
public import GRPC

/// Reads a message and lends it for the duration of `body`. Fields that this build does not know are kept in it.
/// - Throws: `MalformedMessage` when the bytes are not such a message, and what `body` throws.
public func unpack<M: ProtobufMessage, Result>(
    _ type: M.Type, from bytes: UnsafeRawBufferPointer, _ body: (borrowing M) throws -> Result
) throws -> Result {
    // A few bytes on the wire can become a large struct, so what a sender can make us allocate is tied to what it sent.
    // The largest ratio of real messages is about 8: a key without a value in an answer of etcd.
    let arena = Arena(limit: 16 * bytes.count + 65536)
    defer { withExtendedLifetime(arena) {} }
    let descriptor = arena.build(M.self) { _, _ in }.pointee.descriptor
    return try arena.withAllocator { allocator in
        let data = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard let message = protobuf_c_message_unpack(descriptor, allocator, bytes.count, data) else {
            let name = descriptor.map { String(cString: $0.pointee.name) } ?? "\(M.self)"
            throw MalformedMessage(name: name, reason: "it is truncated, or a field has the wrong type")
        }
        return try body(UnsafeRawPointer(message).assumingMemoryBound(to: M.self).pointee)
    }
}

extension Message {
    /// Reads the message and lends it for the duration of `body`.
    /// - Throws: `MalformedMessage` when the bytes are not such a message, and what `body` throws.
    public func unpack<M: ProtobufMessage, Result>(
        _ type: M.Type, _ body: (borrowing M) throws -> Result
    ) throws -> Result {
        try withBytes { bytes throws in try Protobuf.unpack(type, from: bytes, body) }
    }
}
