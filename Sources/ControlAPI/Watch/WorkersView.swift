internal import ControlPlane
internal import Etcd
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// The workers as one stream shows them: their rows, and which of their actors a workflow has in hand. An actor is ready for
/// requests while none has, so that those that come during a suspend wait for its end rather than get lost in it.
struct WorkersView {
    private let keys: Keys
    private var table = WorkerTable()
    private var inHand: Set<ActorRef> = []
    /// The worker that is bound to each actor.
    private var holders: [ActorRef: WorkerRef] = [:]

    init(keys: Keys) { self.keys = keys }

    /// All there is, as of one revision.
    init(keys: Keys, _ listing: WorkerListing, inHand: Set<ActorRef>) {
        self.keys = keys
        self.inHand = inHand
        table.take(listing)
        for (ref, binding) in listing.bound { holders[binding.value.actor] = ref }
    }

    /// All workers, sorted.
    var workers: [WorkerInfo] { table.rows.sorted { $0.key < $1.key }.map(info) }

    /// Takes in changes, in order.
    /// - Returns: what they change of workers; nil when that is nothing.
    mutating func take(_ events: [WatchEvent]) throws(StoreError) -> WorkersUpdate? {
        var changed: Set<WorkerRef> = []
        for event in events {
            if let key = keys.worker(event.key) {
                changed.insert(key.ref)
                try take(event, key)
            } else if let actor = keys.operationRef(event.key) {
                if case .put = event { inHand.insert(actor) } else { inHand.remove(actor) }
                if let holder = holders[actor] { changed.insert(holder) }
            }
        }
        guard let revision = events.last?.revision, !changed.isEmpty else { return nil }
        var update = WorkersUpdate(revision: revision)
        for ref in changed.sorted() {
            if let row = table.rows[ref] { update.workers.append(info(ref, row)) } else { update.deleted.append(ref) }
        }
        return update
    }

    private mutating func take(_ event: WatchEvent, _ key: Keys.WorkerKey) throws(StoreError) {
        if case .bound(let ref) = key, let actor = table.rows[ref]?.binding?.value.actor, holders[actor] == ref {
            holders[actor] = nil
        }
        switch (event, key) {
        case (.put(let pair, _), .live(let ref)): table.put(try Codec.decode(pair, as: Presence.self), of: ref)
        case (.put(let pair, _), .bound(let ref)):
            let binding = try Codec.decode(pair, as: Binding.self)
            table.put(binding, of: ref)
            holders[binding.value.actor] = ref
        case (.delete(_, let revision, _), _): table.remove(key, at: revision)
        }
    }

    private func info(_ ref: WorkerRef, _ row: WorkerRow) -> WorkerInfo {
        var info = WorkerInfo(ref, row)
        info.routerAddress = row.presence?.value.routerAddress
        if let binding = row.binding?.value {
            info.isActorReady =
                binding.phase == .ready && !row.isLost && binding.address != nil && !inHand.contains(binding.actor)
        }
        return info
    }
}

extension WorkerInfo {
    init(_ ref: WorkerRef, _ row: WorkerRow) {
        let presence = row.presence
        let binding = row.binding
        self.init(
            ref: ref, uid: presence?.value.uid ?? "", node: presence?.value.node ?? "",
            ip: binding?.value.address?.ip ?? "", port: binding?.value.address?.port ?? 0,
            version: (presence?.version ?? 0) + (binding?.version ?? 0), actor: binding?.value.actor,
            template: binding?.value.template, drainingUntilMilliseconds: presence?.value.drainingUntilMilliseconds)
    }
}
