internal import CProtobufC
public import GRPC

extension Message {
    /// Packs a message straight into memory of the C core.
    public convenience init<M: ProtobufMessage>(packing type: M.Type, _ fill: (inout M, Arena) -> Void) {
        let arena = Arena()
        let message = arena.build(M.self, fill)
        self.init(count: protobuf_c_message_get_packed_size(message)) { buffer in
            if let start = buffer.baseAddress {
                protobuf_c_message_pack(message, start.assumingMemoryBound(to: UInt8.self))
            }
        }
        withExtendedLifetime(arena) {}
    }
}

/// The message's bytes, after `prefix`.
public func pack<M: ProtobufMessage>(
    _ type: M.Type, after prefix: [UInt8] = [], _ fill: (inout M, Arena) -> Void
) -> [UInt8] {
    let arena = Arena()
    let message = arena.build(M.self, fill)
    defer { withExtendedLifetime(arena) {} }
    let size = protobuf_c_message_get_packed_size(message)
    return [UInt8](unsafeUninitializedCapacity: prefix.count + size) { buffer, count in
        _ = buffer.initialize(from: prefix)
        if let start = buffer.baseAddress { protobuf_c_message_pack(message, start + prefix.count) }
        count = prefix.count + size
    }
}

extension Arena {
    /// The message as protobuf-c sees it: every generated struct begins with its `ProtobufCMessage`.
    func build<M: ProtobufMessage>(
        _ type: M.Type, _ fill: (inout M, Arena) -> Void
    ) -> UnsafePointer<ProtobufCMessage> {
        UnsafeRawPointer(message(M.self) { fill(&$0, self) }).assumingMemoryBound(to: ProtobufCMessage.self)
    }
}
