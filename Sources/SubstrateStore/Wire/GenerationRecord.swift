internal import CMessages
internal import Protobuf
internal import SubstrateAPI
package import SubstrateModel

extension Generation: StoredValue {
    package func record(after prefix: [UInt8]) -> [UInt8] {
        pack(Substrate__Store__GenerationRecord.self, after: prefix) { record, arena in
            record.id = arena.bytes(id)
            record.raised_at_ms = raisedAtMilliseconds
            arena.attach(unknownFields, to: &record.base)
        }
    }

    package init(record bytes: UnsafeRawBufferPointer) throws {
        self = try unpack(Substrate__Store__GenerationRecord.self, from: bytes) { record in
            var generation = Generation(id: try record.id.text("id"), raisedAtMilliseconds: record.raised_at_ms)
            generation.unknownFields = UnknownFields(record.base)
            return generation
        }
    }
}
