internal import CGRPC

/// The bytes of one message, in memory of the C core.
///
/// A message to send is filled in place, a received one is read in place where the core delivered it in one piece.
public final class Message: Sendable {
    // Owned by this object alone and never changed after initialisation.
    nonisolated(unsafe) let buffer: UnsafeMutablePointer<grpc_byte_buffer>?

    /// Number of bytes.
    public let count: Int

    /// Creates a message of `count` bytes; `fill` has to write all of them.
    public init(count: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) {
        self.count = count
        // A small slice has no memory of its own: its bytes lie in the variable, so they must be written there.
        var slice = grpc_slice_malloc(count)
        fill(UnsafeMutableRawBufferPointer(start: cgrpc_slice_start(&slice), count: count))
        buffer = grpc_raw_byte_buffer_create(&slice, 1)
        grpc_slice_unref(slice)
    }

    /// Creates a message with a copy of `bytes`.
    public convenience init(_ bytes: some Collection<UInt8>) {
        self.init(count: bytes.count) { $0.copyBytes(from: bytes) }
    }

    /// Takes over a buffer that the core has handed out.
    init(adopting buffer: UnsafeMutablePointer<grpc_byte_buffer>) {
        self.buffer = buffer
        count = grpc_byte_buffer_length(buffer)
    }

    deinit { if let buffer { grpc_byte_buffer_destroy(buffer) } }

    /// Lends the bytes for the duration of `body`.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var reader = grpc_byte_buffer_reader()
        guard let buffer, count > 0, grpc_byte_buffer_reader_init(&reader, buffer) != 0 else {
            return try body(UnsafeRawBufferPointer(start: nil, count: 0))
        }
        defer { grpc_byte_buffer_reader_destroy(&reader) }
        var piece: UnsafeMutablePointer<grpc_slice>?
        guard grpc_byte_buffer_reader_peek(&reader, &piece) != 0, let first = piece else {
            return try body(UnsafeRawBufferPointer(start: nil, count: 0))
        }
        if cgrpc_slice_length(first) == count {
            return try body(UnsafeRawBufferPointer(start: cgrpc_slice_start(first), count: count))
        }
        // Large messages arrive in many slices; they are joined for as long as somebody reads.
        let joined = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
        defer { joined.deallocate() }
        var offset = 0
        repeat {
            guard let slice = piece else { break }
            let length = cgrpc_slice_length(slice)
            UnsafeMutableRawBufferPointer(rebasing: joined[offset..<offset + length])
                .copyMemory(from: UnsafeRawBufferPointer(start: cgrpc_slice_start(slice), count: length))
            offset += length
        } while grpc_byte_buffer_reader_peek(&reader, &piece) != 0
        return try body(UnsafeRawBufferPointer(joined))
    }

    /// A copy of the bytes.
    public var bytes: [UInt8] { withBytes { [UInt8]($0) } }
}

/// A message on its way. The core empties a buffer that it sends, so each sending has one of its own, with the same
/// memory behind it: a message can be sent again. Has to live until the batch that sends it has completed.
final class OutgoingMessage {
    let buffer: UnsafeMutablePointer<grpc_byte_buffer>?

    init(_ message: Message) { buffer = grpc_byte_buffer_copy(message.buffer) }

    deinit { if let buffer { grpc_byte_buffer_destroy(buffer) } }
}
