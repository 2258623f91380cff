public import CProtobufC

/// Memory for the pieces of one message, freed together.
///
/// Messages are built and read in one go and then forgotten, so their strings and sub-messages need no allocation of
/// their own each: they are cut from blocks, the first of which lies on the stack. An arena is lent to a closure and
/// ends with it, and so does all that was made in it.
public struct Arena {
    @usableFromInline let state: UnsafeMutablePointer<State>

    @usableFromInline struct State {
        var next: UnsafeMutableRawPointer
        var left: Int
        /// Bytes that protobuf-c may still have.
        var budget: Int
        /// The blocks on the heap, as a list: each begins with the address of the one before it.
        var lastBlock: UnsafeMutableRawPointer?
    }

    @usableFromInline static var alignment: Int { 16 }
    // The most that Swift puts on the stack for sure. An ordinary request or answer of etcd fits.
    private static let firstBlockSize = 1024
    private static let blockSize = 4096

    /// Lends an arena.
    /// - Parameter limit: bytes that an allocator lent by this arena hands out at most.
    static func lend(limit: Int = .max, _ body: (Arena) throws -> Void) rethrows {
        try withUnsafeTemporaryAllocation(byteCount: firstBlockSize, alignment: alignment) { block in
            var state = State(
                next: block.baseAddress.unsafelyUnwrapped, left: firstBlockSize, budget: limit, lastBlock: nil)
            defer {
                while let block = state.lastBlock {
                    state.lastBlock = block.load(as: UnsafeMutableRawPointer?.self)
                    block.deallocate()
                }
            }
            try withUnsafeMutablePointer(to: &state) { try body(Arena(state: $0)) }
        }
    }

    @usableFromInline func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
        let size = (max(byteCount, 1) + Self.alignment - 1) & ~(Self.alignment - 1)
        if size > state.pointee.left {
            if size > Self.blockSize / 2 { return addBlock(size) }
            state.pointee.next = addBlock(Self.blockSize)
            state.pointee.left = Self.blockSize
        }
        let piece = state.pointee.next
        state.pointee.next = piece + size
        state.pointee.left -= size
        return piece
    }

    private func addBlock(_ size: Int) -> UnsafeMutableRawPointer {
        let block = UnsafeMutableRawPointer.allocate(byteCount: Self.alignment + size, alignment: Self.alignment)
        block.storeBytes(of: state.pointee.lastBlock, as: UnsafeMutableRawPointer?.self)
        state.pointee.lastBlock = block
        return block + Self.alignment
    }

    /// A sub-message, filled by `fill`; lives as long as the arena.
    @inlinable
    public func message<M: ProtobufMessage>(
        _ type: M.Type = M.self, _ fill: (inout M) -> Void
    ) -> UnsafeMutablePointer<M> {
        let pointer = allocate(byteCount: MemoryLayout<M>.size).bindMemory(to: M.self, capacity: 1)
        M.initialize(pointer)
        fill(&pointer.pointee)
        return pointer
    }

    /// The elements as the array of pointers that a repeated message field wants, with their number.
    @inlinable
    public func repeated<Value, M: ProtobufMessage>(
        _ values: some Collection<Value>, _ fill: (Value, inout M) -> Void
    ) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<M>?>?) {
        (values.count, array(values) { value in message { fill(value, &$0) } })
    }

    /// The texts as the array that a repeated string field wants, with their number.
    @inlinable
    public func repeated(_ texts: some Collection<String>) -> (Int, UnsafeMutablePointer<ProtobufCBinaryData>?) {
        (texts.count, array(texts) { bytes($0) })
    }

    /// An array of what `transform` makes of the values, or nil for none.
    @inlinable
    public func array<Value, Element>(
        _ values: some Collection<Value>, _ transform: (Value) -> Element
    ) -> UnsafeMutablePointer<Element>? {
        if values.isEmpty { return nil }
        let pointer = allocate(byteCount: values.count * MemoryLayout<Element>.stride)
            .bindMemory(to: Element.self, capacity: values.count)
        var next = pointer
        for value in values {
            next.initialize(to: transform(value))
            next += 1
        }
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

    /// An allocator of protobuf-c that cuts from this arena.
    var allocator: ProtobufCAllocator {
        ProtobufCAllocator(
            alloc: { data, size in
                guard let data else { return nil }
                let arena = Arena(state: data.assumingMemoryBound(to: State.self))
                guard size <= arena.state.pointee.budget else { return nil }
                arena.state.pointee.budget -= size
                return arena.allocate(byteCount: size)
            },
            free: { _, _ in },
            allocator_data: state)
    }
}
