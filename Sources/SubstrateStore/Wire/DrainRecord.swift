internal import CMessages
internal import Protobuf
internal import SubstrateAPI
package import SubstrateModel

extension DrainOrder: StoredValue {
    package func record(after prefix: [UInt8]) -> [UInt8] {
        pack(Substrate__Store__DrainOrderRecord.self, after: prefix) { record, arena in
            record.grace_ms = graceMilliseconds
            record.ordered_at_ms = orderedAtMilliseconds
            arena.attach(unknownFields, to: &record.base)
        }
    }

    package init(record bytes: UnsafeRawBufferPointer) throws {
        self = try unpack(Substrate__Store__DrainOrderRecord.self, from: bytes) { record in
            var order = DrainOrder(
                graceMilliseconds: record.grace_ms, orderedAtMilliseconds: record.ordered_at_ms)
            order.unknownFields = UnknownFields(record.base)
            return order
        }
    }
}
