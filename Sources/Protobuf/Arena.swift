public import CProtobufC

/// Memory for the pieces of one message, freed together.
///
/// Messages are built and read in one go and then forgotten, so their strings and sub-messages need no allocation of
/// their own each: they are cut from blocks.
public final class Arena {
    private var blocks: [UnsafeMutableRawPointer] = []
    private var next: UnsafeMutableRawPointer?
    private var left = 0
    private var budget: Int
    private static let blockSize = 4096
    private static let alignment = 16

    /// - Parameter limit: bytes that an allocator lent by this arena hands out at most.
    init(limit: Int = .max) { budget = limit }

    deinit { for block in blocks { block.deallocate() } }

    func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
        let size = (max(byteCount, 1) + Self.alignment - 1) & ~(Self.alignment - 1)
        if size > Self.blockSize / 2 {
            let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: Self.alignment)
            blocks.append(block)
            return block
        }
        if size > left || next == nil {
            let block = UnsafeMutableRawPointer.allocate(byteCount: Self.blockSize, alignment: Self.alignment)
            blocks.append(block)
            next = block
            left = Self.blockSize
        }
        let piece = next.unsafelyUnwrapped
        next = piece + size
        left -= size
        return piece
    }

    /// A sub-message, filled by `fill`; lives as long as the arena.
    public func message<M: ProtobufMessage>(
        _ type: M.Type = M.self, _ fill: (inout M) -> Void
    ) -> UnsafeMutablePointer<M> {
        let pointer = allocate(byteCount: MemoryLayout<M>.size).bindMemory(to: M.self, capacity: 1)
        M.initialize(pointer)
        fill(&pointer.pointee)
        return pointer
    }

    /// The elements as the array of pointers that a repeated message field wants, with their number.
    public func repeated<Value, M: ProtobufMessage>(
        _ values: some Collection<Value>, _ fill: (Value, inout M) -> Void
    ) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<M>?>?) {
        (values.count, array(values) { value in message { fill(value, &$0) } })
    }

    /// The texts as the array that a repeated string field wants, with their number.
    public func repeated(_ texts: some Collection<String>) -> (Int, UnsafeMutablePointer<ProtobufCBinaryData>?) {
        (texts.count, array(texts) { bytes($0) })
    }

    /// An array of what `transform` makes of the values, or nil for none.
    public func array<Value, Element>(
        _ values: some Collection<Value>, _ transform: (Value) -> Element
    ) -> UnsafeMutablePointer<Element>? {
        if values.isEmpty { return nil }
        let pointer = allocate(byteCount: values.count * MemoryLayout<Element>.stride)
            .bindMemory(to: Element.self, capacity: values.count)
        for (index, value) in values.enumerated() { (pointer + index).initialize(to: transform(value)) }
        return pointer
    }

    /// The text as a string field wants it.
    public func bytes(_ text: String) -> ProtobufCBinaryData {
        var text = text
        return text.withUTF8 { bytes(UnsafeRawBufferPointer($0)) }
    }

    /// The bytes as a bytes field wants them.
    public func bytes(_ bytes: [UInt8]) -> ProtobufCBinaryData {
        bytes.withUnsafeBytes { self.bytes($0) }
    }

    private func bytes(_ source: UnsafeRawBufferPointer) -> ProtobufCBinaryData {
        guard !source.isEmpty else { return ProtobufCBinaryData(len: 0, data: nil) }
        let copy = allocate(byteCount: source.count)
        copy.copyMemory(from: source.baseAddress.unsafelyUnwrapped, byteCount: source.count)
        return ProtobufCBinaryData(len: source.count, data: copy.bindMemory(to: UInt8.self, capacity: source.count))
    }

    /// Lends an allocator of protobuf-c that cuts from this arena.
    func withAllocator<Result, Failure: Error>(
        _ body: (UnsafeMutablePointer<ProtobufCAllocator>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var allocator = ProtobufCAllocator()
        allocator.allocator_data = Unmanaged.passUnretained(self).toOpaque()
        allocator.alloc = { data, size in
            guard let data else { return nil }
            let arena = Unmanaged<Arena>.fromOpaque(data).takeUnretainedValue()
            guard size <= arena.budget else { return nil }
            arena.budget -= size
            return arena.allocate(byteCount: size)
        }
        allocator.free = { _, _ in }
        return try body(&allocator)
    }
}
