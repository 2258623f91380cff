internal import CMessages
internal import Protobuf
internal import SubstrateAPI
package import SubstrateModel

extension Atespace: StoredValue {
    package func record(after prefix: [UInt8]) -> [UInt8] {
        pack(Substrate__Store__AtespaceRecord.self, after: prefix) { record, arena in
            record.uid = arena.bytes(uid)
            arena.attach(unknownFields, to: &record.base)
        }
    }

    package init(record bytes: UnsafeRawBufferPointer) throws {
        self = try unpack(Substrate__Store__AtespaceRecord.self, from: bytes) { record in
            var atespace = Atespace(uid: try record.uid.text("uid"))
            atespace.unknownFields = UnknownFields(record.base)
            return atespace
        }
    }
}

extension WorkerPool: StoredValue {
    package func record(after prefix: [UInt8]) -> [UInt8] {
        // What is seen of a pool changes without anybody declaring anything.
        var declared = self
        declared.status = Status()
        return pack(Substrate__Store__WorkerPoolRecord.self, after: prefix) { record, arena in
            record.pool = arena.message { declared.fill(&$0, arena) }
        }
    }

    package init(record bytes: UnsafeRawBufferPointer) throws {
        self = try unpack(Substrate__Store__WorkerPoolRecord.self, from: bytes) { record in
            guard let pool = record.pool else { throw InvalidText(field: "pool", reason: "is missing") }
            return try WorkerPool(pool.pointee)
        }
    }
}

extension ActorTemplate: StoredValue {
    package func record(after prefix: [UInt8]) -> [UInt8] {
        pack(Substrate__Store__ActorTemplateRecord.self, after: prefix) { record, arena in
            record.template_ = arena.message { fill(&$0, arena) }
        }
    }

    package init(record bytes: UnsafeRawBufferPointer) throws {
        self = try unpack(Substrate__Store__ActorTemplateRecord.self, from: bytes) { record in
            guard let template = record.template_ else { throw InvalidText(field: "template", reason: "is missing") }
            return try ActorTemplate(template.pointee)
        }
    }
}
