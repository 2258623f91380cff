internal import CGRPC

/// The bytes of one message, in memory of the C core.
///
/// A message to send is filled in place, a received one is read in place where the core delivered it in one piece.
public final class Message: Sendable {
    // Owned by this object alone and never changed after initialisation.
    /// A received message, or nil.
    nonisolated(unsafe) private let buffer: UnsafeMutablePointer<grpc_byte_buffer>?
    /// A message that was filled here.
    nonisolated(unsafe) private let slice: grpc_slice

    /// Number of bytes.
    public let count: Int

    /// Creates a message of `count` bytes; `fill` has to write all of them.
    public init(count: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) {
        self.count = count
        // A small slice has no memory of its own: its bytes lie in the variable, so they must be written there.
        var slice = grpc_slice_malloc(count)
        fill(UnsafeMutableRawBufferPointer(start: cgrpc_slice_start(&slice), count: count))
        self.slice = slice
        buffer = nil
    }

    /// Creates a message with a copy of `bytes`.
    public convenience init(_ bytes: some Collection<UInt8>) {
        self.init(count: bytes.count) { $0.copyBytes(from: bytes) }
    }

    /// Takes over a buffer that the core has handed out.
    init(adopting buffer: UnsafeMutablePointer<grpc_byte_buffer>) {
        self.buffer = buffer
        slice = grpc_empty_slice()
        count = grpc_byte_buffer_length(buffer)
    }

    deinit {
        grpc_slice_unref(slice)
        if let buffer { grpc_byte_buffer_destroy(buffer) }
    }

    /// A buffer for one sending, with the same memory behind it. The core empties what it sends, so each sending needs one
    /// of its own.
    func makeBuffer() -> UnsafeMutablePointer<grpc_byte_buffer>? {
        if let buffer { return grpc_byte_buffer_copy(buffer) }
        var slice = slice
        return grpc_raw_byte_buffer_create(&slice, 1)
    }

    /// Lends the bytes for the duration of `body`.
    @inlinable
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var result: Swift.Result<Result, Failure>?
        lendBytes { bytes in
            do throws(Failure) {
                result = .success(try body(bytes))
            } catch {
                result = .failure(error)
            }
        }
        return try result.unsafelyUnwrapped.get()
    }

    @usableFromInline
    func lendBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
        guard let buffer, count > 0 else {
            var slice = slice
            return body(UnsafeRawBufferPointer(start: cgrpc_slice_start(&slice), count: count))
        }
        if let slice = cgrpc_sole_slice(buffer) {
            return body(UnsafeRawBufferPointer(start: cgrpc_slice_start(slice), count: count))
        }
        let joined = join(buffer)
        defer { joined.deallocate() }
        body(UnsafeRawBufferPointer(joined))
    }

    /// Large messages arrive in many slices; they are joined for as long as somebody reads.
    private func join(_ buffer: UnsafeMutablePointer<grpc_byte_buffer>) -> UnsafeMutableRawBufferPointer {
        let joined = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
        var reader = grpc_byte_buffer_reader()
        guard grpc_byte_buffer_reader_init(&reader, buffer) != 0 else {
            joined.initializeMemory(as: UInt8.self, repeating: 0)
            return joined
        }
        defer { grpc_byte_buffer_reader_destroy(&reader) }
        var offset = 0
        var piece: UnsafeMutablePointer<grpc_slice>?
        while grpc_byte_buffer_reader_peek(&reader, &piece) != 0, let slice = piece {
            let length = cgrpc_slice_length(slice)
            UnsafeMutableRawBufferPointer(rebasing: joined[offset..<offset + length])
                .copyMemory(from: UnsafeRawBufferPointer(start: cgrpc_slice_start(slice), count: length))
            offset += length
        }
        return joined
    }

    /// A copy of the bytes.
    public var bytes: [UInt8] { withBytes { [UInt8]($0) } }
}

/// A message on its way. Has to live until the batch that sends it has completed.
final class OutgoingMessage {
    let buffer: UnsafeMutablePointer<grpc_byte_buffer>?

    init(_ message: Message) { buffer = message.makeBuffer() }

    deinit { if let buffer { grpc_byte_buffer_destroy(buffer) } }
}
