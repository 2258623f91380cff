internal import CMessages
internal import CProtobufC
internal import GRPC
internal import Protobuf
internal import SubstrateModel

extension ActorRef {
    /// Reads the field `actor_ref`, which older clients fill with a bare actor id instead of an `ActorRef`.
    ///
    /// The two cannot be confused: an `ActorRef` begins with the tag of one of its fields, which is a control character,
    /// and an id with a printable one. A bare id means an actor of the atespace `default`.
    init(field: ProtobufCBinaryData) throws {
        let bytes = field.array
        guard let first = bytes.first, first >= 0x20 else {
            self = try bytes.withUnsafeBytes { bytes in
                try unpack(Ateapi__ActorRef.self, from: bytes) { try ActorRef($0) }
            }
            return
        }
        self.init(atespace: Atespace.defaultName, name: try field.text("actor_id"))
    }

    /// The field `actor_ref` as published.
    func field(_ arena: Arena) -> ProtobufCBinaryData {
        arena.bytes(
            pack(Ateapi__ActorRef.self) { fill(&$0, $1) })
    }

    func fill(_ message: inout Ateapi__ActorRef, _ arena: Arena) {
        message.atespace = arena.bytes(atespace)
        message.name = arena.bytes(name)
    }

    init(_ message: borrowing Ateapi__ActorRef) throws {
        self.init(atespace: try message.atespace.text("atespace"), name: try message.name.text("actor_id"))
    }
}
