internal import CMessages
internal import Protobuf
internal import SubstrateAPI
internal import SubstrateModel

extension LocalSnapshot {
    func fill(_ record: inout Substrate__Store__LocalSnapshotRecord, _ arena: Arena) {
        record.prefix = arena.bytes(name.text)
        record.node = arena.bytes(node)
        record.directory_id = arena.bytes(directoryID)
        arena.attach(unknownFields, to: &record.base)
    }

    init(_ record: borrowing Substrate__Store__LocalSnapshotRecord) throws {
        guard let name = LocalSnapshotName(try record.prefix.text("prefix")) else {
            throw InvalidText(field: "prefix", reason: "is not an actor's uid and a nonce with a slash between them")
        }
        self.init(
            name: name, node: try record.node.text("node"), directoryID: try record.directory_id.text("directory_id"))
        unknownFields = UnknownFields(record.base)
    }
}

extension Fallback {
    func fill(_ record: inout Substrate__Store__FallbackRecord, _ arena: Arena) {
        record.snapshot = arena.message { snapshot.fill(&$0, arena) }
        record.reason =
            switch reason {
            case .nodeGone: SUBSTRATE__STORE__FALLBACK_RECORD__REASON__REASON_NODE_GONE
            case .snapshotMissing: SUBSTRATE__STORE__FALLBACK_RECORD__REASON__REASON_SNAPSHOT_MISSING
            }
        record.at_ms = atMilliseconds
        arena.attach(unknownFields, to: &record.base)
    }

    init(_ record: borrowing Substrate__Store__FallbackRecord) throws {
        guard let snapshot = record.snapshot else {
            throw MalformedMessage(name: "substrate.store.FallbackRecord", reason: "it holds no snapshot")
        }
        let reason: Reason
        switch record.reason {
        case SUBSTRATE__STORE__FALLBACK_RECORD__REASON__REASON_NODE_GONE: reason = .nodeGone
        case SUBSTRATE__STORE__FALLBACK_RECORD__REASON__REASON_SNAPSHOT_MISSING: reason = .snapshotMissing
        default: throw InvalidText(field: "reason", reason: "has the unknown value \(record.reason.rawValue)")
        }
        self.init(snapshot: try LocalSnapshot(snapshot.pointee), reason: reason, atMilliseconds: record.at_ms)
        unknownFields = UnknownFields(record.base)
    }
}
