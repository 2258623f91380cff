internal import GRPC
internal import SubstrateAPI
internal import SubstrateModel

/// A response of one of the watch streams.
protocol WatchUpdate: WireMessage {
    associatedtype Object: Sendable, Equatable
    associatedtype Ref: Hashable

    var revision: Int64 { get }
    var isReset: Bool { get }
    /// Created or changed, or a part of the current state.
    var objects: [Object] { get }
    var deleted: [Ref] { get }

    static func ref(of object: Object) -> Ref
}

extension ActorsUpdate: WatchUpdate {
    var objects: [ActorInfo] { actors }

    static func ref(of object: ActorInfo) -> ActorRef { object.ref }
}

extension WorkersUpdate: WatchUpdate {
    var objects: [WorkerInfo] { workers }

    static func ref(of object: WorkerInfo) -> WorkerRef { object.ref }
}

/// One of the watch streams, from any revision on.
struct WatchSource<Update: WatchUpdate>: Sendable {
    let method: Method
    /// Opens it after a revision, for some time at most.
    let open: @Sendable (Int64, Duration?) async throws(RPCError) -> ResponseStream<Update>
}

extension APIClient {
    /// - Parameter atespace: empty for all.
    func watchActors(in atespace: String) -> WatchSource<ActorsUpdate> {
        WatchSource(method: WatchMethods.actors.method) { revision, timeout throws(RPCError) in
            let request = WatchActorsRequest(atespace: atespace, afterRevision: revision)
            return try await open(WatchMethods.actors, request, timeout: timeout)
        }
    }

    func watchWorkers() -> WatchSource<WorkersUpdate> {
        WatchSource(method: WatchMethods.workers.method) { revision, timeout throws(RPCError) in
            try await open(WatchMethods.workers, WatchWorkersRequest(afterRevision: revision), timeout: timeout)
        }
    }
}
