package import Etcd
package import SubstrateModel

/// Where everything lies. Names are DNS-1123 labels, so a `/` in a key always separates.
package struct Keys: Sendable {
    /// What every key begins with, with a `/` at the end.
    package let root: String

    package init(root: String = "/substrate/") { self.root = root }

    package func actor(_ ref: ActorRef) -> Key { Key("\(root)actors/\(ref.atespace)/\(ref.name)") }
    package func actors(in atespace: String) -> KeyRange { .prefix(Key("\(root)actors/\(atespace)/")) }
    package var actors: KeyRange { .prefix(Key("\(root)actors/")) }

    package func atespace(_ name: String) -> Key { Key("\(root)atespaces/\(name)") }
    package var atespaces: KeyRange { .prefix(Key("\(root)atespaces/")) }

    package func pool(_ ref: PoolRef) -> Key { Key("\(root)pools/\(ref.namespace)/\(ref.name)") }
    package var pools: KeyRange { .prefix(Key("\(root)pools/")) }

    package func template(_ ref: TemplateRef) -> Key { Key("\(root)templates/\(ref.namespace)/\(ref.name)") }
    package var templates: KeyRange { .prefix(Key("\(root)templates/")) }

    package func live(_ ref: WorkerRef) -> Key { Key("\(root)workers/live/\(ref.path)") }
    package func bound(_ ref: WorkerRef) -> Key { Key("\(root)workers/bound/\(ref.path)") }
    /// The worker prefix: presences and bindings, what the watch of the control plane is on.
    package var workers: KeyRange { .prefix(Key("\(root)workers/")) }

    package func bindings(in pool: PoolRef) -> KeyRange {
        .prefix(Key("\(root)workers/bound/\(pool.namespace)/\(pool.name)/"))
    }

    package func drain(_ target: DrainTarget) -> Key {
        switch target {
        case .worker(let ref): Key("\(drainFolder(ref.pool))worker/\(ref.pod)")
        case .node(let pool, let node): Key("\(drainFolder(pool))node/\(node)")
        }
    }

    /// All that operators want drained in the pool.
    package func drains(in pool: PoolRef) -> KeyRange { .prefix(Key(drainFolder(pool))) }

    package var drains: KeyRange { .prefix(Key("\(root)workers/drain/")) }

    private func drainFolder(_ pool: PoolRef) -> String {
        "\(root)workers/drain/\(pool.namespace)/\(pool.name)/"
    }

    package func drainTarget(_ key: Key) -> DrainTarget? {
        guard let parts = parts(of: key, behind: "workers/drain/", count: 4) else { return nil }
        let pool = PoolRef(namespace: parts[0], name: parts[1])
        return switch parts[2] {
        case "worker": .worker(WorkerRef(pool: pool, pod: parts[3]))
        case "node": .node(pool, parts[3])
        default: nil
        }
    }

    /// A dropped snapshot, which makes the oldest come first. Not among what lies between actors and operations, which is
    /// watched as a whole.
    func garbage(_ dropped: DroppedSnapshot) -> Key {
        Key("\(garbageFolder)\(Self.sortable(dropped.droppedAtMilliseconds))/\(dropped.snapshot)")
    }

    /// Everything that was dropped until then.
    package func garbage(untilMilliseconds time: Int64) -> KeyRange {
        .from(Key(garbageFolder), upTo: Key(garbageFolder + Self.sortable(time + 1)))
    }

    /// What a key under the folder of dropped snapshots names.
    func dropped(_ key: Key, of actor: ActorRef) -> DroppedSnapshot? {
        guard let parts = key.suffix(after: Key(garbageFolder))?.split(separator: "/", maxSplits: 1), parts.count == 2,
            let time = Int64(parts[0])
        else { return nil }
        return DroppedSnapshot(snapshot: SnapshotURI(String(parts[1])), actor: actor, droppedAtMilliseconds: time)
    }

    private var garbageFolder: String { "\(root)snapshots/garbage/" }

    /// Fifteen digits last for thirty thousand years.
    private static func sortable(_ milliseconds: Int64) -> String {
        let digits = String(max(0, milliseconds))
        return String(repeating: "0", count: max(0, 15 - digits.count)) + digits
    }

    /// Which life of the store this is.
    package var generation: Key { Key("\(root)meta/generation") }

    package func operation(_ ref: ActorRef) -> Key { Key("\(root)operations/\(ref.atespace)/\(ref.name)") }

    /// Actors and operations, and what lies between them: one watch on both shows them as of the same revision.
    package var lifecycle: KeyRange { .from(Key("\(root)actors/"), upTo: Key("\(root)operations0")) }

    /// Operations and workers, and what lies between them: one watch on both shows them as of the same revision.
    package var operationsAndWorkers: KeyRange { .from(Key("\(root)operations/"), upTo: Key("\(root)workers0")) }

    /// Where the replicas' sessions are, and the election of the one that leads.
    package var replicas: Key { Key("\(root)leader/replicas/") }
    package var election: Key { Key("\(root)leader/election") }

    package var operations: KeyRange { .prefix(Key("\(root)operations/")) }

    /// What a key under the worker prefix holds; nil for one that nobody here writes.
    package func worker(_ key: Key) -> WorkerKey? {
        if let ref = parts(of: key, behind: "workers/live/", count: 3).map(WorkerRef.init(parts:)) { return .live(ref) }
        if let ref = parts(of: key, behind: "workers/bound/", count: 3).map(WorkerRef.init(parts:)) {
            return .bound(ref)
        }
        return nil
    }

    package enum WorkerKey: Hashable, Sendable {
        case live(WorkerRef)
        case bound(WorkerRef)

        package var ref: WorkerRef {
            switch self {
            case .live(let ref), .bound(let ref): ref
            }
        }
    }

    package func actorRef(_ key: Key) -> ActorRef? {
        parts(of: key, behind: "actors/", count: 2).map { ActorRef(atespace: $0[0], name: $0[1]) }
    }

    package func operationRef(_ key: Key) -> ActorRef? {
        parts(of: key, behind: "operations/", count: 2).map { ActorRef(atespace: $0[0], name: $0[1]) }
    }

    package func atespaceName(_ key: Key) -> String? { parts(of: key, behind: "atespaces/", count: 1)?[0] }

    package func poolRef(_ key: Key) -> PoolRef? {
        parts(of: key, behind: "pools/", count: 2).map { PoolRef(namespace: $0[0], name: $0[1]) }
    }

    package func templateRef(_ key: Key) -> TemplateRef? {
        parts(of: key, behind: "templates/", count: 2).map { TemplateRef(namespace: $0[0], name: $0[1]) }
    }

    /// Asked of every key that a watch shows, so it looks at bytes.
    private func parts(of key: Key, behind folder: String, count: Int) -> [String]? {
        let start = root.utf8.count + folder.utf8.count
        guard key.bytes.count > start, key.bytes.starts(with: root.utf8),
            key.bytes[root.utf8.count...].starts(with: folder.utf8)
        else { return nil }
        let parts = key.bytes[start...].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count == count else { return nil }
        var texts: [String] = []
        texts.reserveCapacity(count)
        for part in parts {
            guard !part.isEmpty, let text = String(validating: part, as: UTF8.self) else { return nil }
            texts.append(text)
        }
        return texts
    }
}

extension WorkerRef {
    fileprivate var path: String { "\(pool.namespace)/\(pool.name)/\(pod)" }

    fileprivate init(parts: [String]) {
        self.init(pool: PoolRef(namespace: parts[0], name: parts[1]), pod: parts[2])
    }
}
