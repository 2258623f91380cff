internal import CMessages
internal import GRPC
internal import Protobuf

/// One response on a watch stream.
struct WatchResponse: Sendable {
    var header: ResponseHeader
    var watchID: Int64
    var isCreated: Bool
    var isCancelled: Bool
    var compactRevision: Int64
    var cancelReason: String
    /// More of the same response follows.
    var isFragment: Bool
    var events: [WatchEvent]
    /// About what the events take up here, in bytes.
    var cost: Int

    init(_ message: Message) throws {
        self = try message.unpack(Etcdserverpb__WatchResponse.self) { WatchResponse($0) }
        cost = message.count + events.count * 256
    }

    private init(_ response: borrowing Etcdserverpb__WatchResponse) {
        header = ResponseHeader(response.header)
        watchID = response.watch_id
        isCreated = response.created != 0
        isCancelled = response.canceled != 0
        compactRevision = response.compact_revision
        cancelReason = response.cancel_reason.lenientText
        isFragment = response.fragment != 0
        events = map(response.events, count: response.n_events) { WatchEvent($0) }
        cost = 0
    }
}

extension WatchRequest {
    /// The message that starts a watch.
    func message(id: Int64, from revision: Int64) -> Message {
        Message.packing(Etcdserverpb__WatchRequest.self) { request, arena in
            request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST
            request.create_request = arena.message { create in
                create.key = arena.bytes(range.start.bytes)
                create.range_end = arena.bytes(range.end?.bytes ?? [])
                create.start_revision = revision
                create.prev_kv = includesPrevious ? 1 : 0
                create.watch_id = id
                create.fragment = 1
                create.n_filters = filter == nil ? 0 : 1
                create.filters = arena.array(filter.map { [$0] } ?? []) { filter in
                    filter == .putsOnly
                        ? ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER_TYPE__NODELETE
                        : ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER_TYPE__NOPUT
                }
            }
        }
    }

    /// The message that ends a watch.
    static func cancellation(of id: Int64) -> Message {
        Message.packing(Etcdserverpb__WatchRequest.self) { request, arena in
            request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CANCEL_REQUEST
            request.cancel_request = arena.message { $0.watch_id = id }
        }
    }

    /// The message that asks for a sign of life.
    static func progress() -> Message {
        Message.packing(Etcdserverpb__WatchRequest.self) { request, arena in
            request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_PROGRESS_REQUEST
            request.progress_request = arena.message { _ in }
        }
    }
}

extension WatchEvent {
    fileprivate init(_ message: borrowing Mvccpb__Event) {
        // A server always sends the pair; an empty one would match no key.
        let pair =
            message.kv.map { KeyValue($0.pointee) }
            ?? KeyValue(key: Key(bytes: []), value: [], createRevision: 0, modRevision: 0, version: 0)
        let previous = message.prev_kv.map { KeyValue($0.pointee) }
        self =
            message.type == MVCCPB__EVENT__EVENT_TYPE__DELETE
            ? .delete(pair.key, revision: pair.modRevision, previous: previous) : .put(pair, previous: previous)
    }
}
