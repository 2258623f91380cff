public import CProtobufC
public import GRPC

extension Message {
    /// Packs a message straight into memory of the C core.
    @inlinable
    public static func packing<M: ProtobufMessage>(_ type: M.Type, _ fill: (inout M, Arena) -> Void) -> Message {
        packed { $0.build(M.self, fill) }
    }

    @usableFromInline
    static func packed(_ build: (Arena) -> UnsafePointer<ProtobufCMessage>) -> Message {
        var packed: Message?
        Arena.lend { arena in
            let message = build(arena)
            packed = Message(count: protobuf_c_message_get_packed_size(message)) { buffer in
                if let start = buffer.baseAddress {
                    protobuf_c_message_pack(message, start.assumingMemoryBound(to: UInt8.self))
                }
            }
        }
        return packed.unsafelyUnwrapped
    }
}

/// The message's bytes, after `prefix`.
@inlinable
public func pack<M: ProtobufMessage>(
    _ type: M.Type, after prefix: [UInt8] = [], _ fill: (inout M, Arena) -> Void
) -> [UInt8] {
    packed(after: prefix) { $0.build(M.self, fill) }
}

@usableFromInline
func packed(after prefix: [UInt8], _ build: (Arena) -> UnsafePointer<ProtobufCMessage>) -> [UInt8] {
    var packed: [UInt8] = []
    Arena.lend { arena in
        let message = build(arena)
        let size = protobuf_c_message_get_packed_size(message)
        packed = [UInt8](unsafeUninitializedCapacity: prefix.count + size) { buffer, count in
            _ = buffer.initialize(from: prefix)
            if let start = buffer.baseAddress { protobuf_c_message_pack(message, start + prefix.count) }
            count = prefix.count + size
        }
    }
    return packed
}

extension Arena {
    /// The message as protobuf-c sees it: every generated struct begins with its `ProtobufCMessage`.
    @inlinable
    func build<M: ProtobufMessage>(
        _ type: M.Type, _ fill: (inout M, Arena) -> Void
    ) -> UnsafePointer<ProtobufCMessage> {
        UnsafeRawPointer(message(M.self) { fill(&$0, self) }).assumingMemoryBound(to: ProtobufCMessage.self)
    }
}
