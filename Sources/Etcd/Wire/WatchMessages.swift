internal import CMessages
internal import GRPC
internal import Protobuf

/// One response on a watch stream.
struct WatchResponse {
    var isCreated: Bool
    var isCancelled: Bool
    var compactRevision: Int64
    var cancelReason: String
    /// More of the same response follows.
    var isFragment: Bool
    var events: [WatchEvent]

    init(_ message: Message) throws {
        self = try message.unpack(Etcdserverpb__WatchResponse.self) { WatchResponse($0) }
    }

    private init(_ response: borrowing Etcdserverpb__WatchResponse) {
        isCreated = response.created != 0
        isCancelled = response.canceled != 0
        compactRevision = response.compact_revision
        cancelReason = response.cancel_reason.lenientText
        isFragment = response.fragment != 0
        events = map(response.events, count: response.n_events) { WatchEvent($0) }
    }

    /// The message that starts a watch.
    static func create(_ range: KeyRange, from revision: Int64) -> Message {
        Message(packing: Etcdserverpb__WatchRequest.self) { request, arena in
            request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST
            request.create_request = arena.message { create in
                create.key = arena.bytes(range.start.bytes)
                create.range_end = arena.bytes(range.end?.bytes ?? [])
                create.start_revision = revision
                create.fragment = 1
            }
        }
    }
}

extension WatchEvent {
    fileprivate init(_ message: borrowing Mvccpb__Event) {
        // A server always sends the pair; an empty one would match no key.
        let pair =
            message.kv.map { KeyValue($0.pointee) }
            ?? KeyValue(key: Key(bytes: []), value: [], createRevision: 0, modRevision: 0, version: 0)
        self =
            message.type == MVCCPB__EVENT__EVENT_TYPE__DELETE
            ? .delete(pair.key, revision: pair.modRevision) : .put(pair)
    }
}
