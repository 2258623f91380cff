internal import CMessages
internal import Protobuf
internal import SubstrateAPI
internal import SubstrateModel

/// What is noted of a dropped snapshot beside its key.
struct GarbageNote: StoredValue {
    var actor: ActorRef
    var unknownFields = UnknownFields()

    init(actor: ActorRef) { self.actor = actor }

    package func record(after prefix: [UInt8]) -> [UInt8] {
        pack(Substrate__Store__GarbageRecord.self, after: prefix) { record, arena in
            record.atespace = arena.bytes(actor.atespace)
            record.actor = arena.bytes(actor.name)
            arena.attach(unknownFields, to: &record.base)
        }
    }

    package init(record bytes: UnsafeRawBufferPointer) throws {
        self = try unpack(Substrate__Store__GarbageRecord.self, from: bytes) { record in
            var note = GarbageNote(
                actor: ActorRef(atespace: try record.atespace.text("atespace"), name: try record.actor.text("actor")))
            note.unknownFields = UnknownFields(record.base)
            return note
        }
    }
}
