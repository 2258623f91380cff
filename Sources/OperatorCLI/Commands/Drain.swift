internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// `drain worker|node NAME` and `undrain worker|node NAME`.
enum Drain {
    static let drain = Command(
        words: ["drain"], summary: "suspends the actors of a worker or node, and gives it no others",
        details: """
            The order holds until undrain, whoever is restarted meanwhile. Actors that have not been suspended when the grace period
            ends are killed, and go back to their last snapshot. The local snapshot of a paused actor stays on its node: resume and
            suspend such actors first if the node is to go away for good.
            """,
        examples: ["drain node node-a", "drain worker node-a-0 --grace 5m", "drain node node-a --no-wait"],
        flags: { flags in
            flags.duration(
                "grace", default: "30s",
                help:
                    "How long actors have to be suspended before they are killed. Enough to write most snapshots; longer for large ones. At most 24h."
            )
            flags.toggle("no-wait", help: "Only give the order. Otherwise the command ends when all is drained.")
            Drain.flags(&flags)
        },
        action: .object([.worker, .node]) { kind, name, invocation in
            let api = try APIClient(invocation)
            let grace = try invocation.values.duration("grace")
            let scope = try await scope(kind, name, invocation, api)
            let response = try await api.call(OperatorMethods.drain, DrainRequest(target: scope, grace: grace))
            if invocation.values.isSet("no-wait") {
                for worker in response.workers { try invocation.say("worker \"\(worker.ref)\" is to be drained") }
            } else {
                try await wait(for: Set(response.workers.map(\.ref)), within: grace + patience, api, invocation)
            }
        })

    static let undrain = Command(
        words: ["undrain"], aliases: ["uncordon"], summary: "lets a drained worker or node take actors again",
        details: "A worker that drains because all of its node does is undrained with the node.",
        examples: ["undrain node node-a", "undrain worker node-a-0"],
        flags: flags,
        action: .object([.worker, .node]) { kind, name, invocation in
            let api = try APIClient(invocation)
            let scope = try await scope(kind, name, invocation, api)
            _ = try await api.call(OperatorMethods.undrain, UndrainRequest(target: scope))
            try invocation.say("\(kind) \"\(name)\" takes actors again")
        })

    /// For the node to see the order and to kill what is left, and for the release.
    private static let patience: Duration = .seconds(15)

    @Sendable private static func flags(_ flags: inout Flags) {
        flags.text(
            "pool", "NAMESPACE/NAME",
            help:
                "The pool of the node or worker. Without it: every pool that has such a node, the only pool that has such a worker."
        )
        SharedFlags.namespace(&flags)
        SharedFlags.timeout(&flags)
    }

    private static func scope(
        _ kind: ResourceKind, _ name: String, _ invocation: Invocation, _ api: APIClient
    ) async throws -> DrainScope {
        let pool = try invocation.values.optional("pool").map { text throws(FlagError) in
            let pair = try invocation.pair(text, "--pool")
            return PoolRef(namespace: pair.namespace, name: pair.name)
        }
        if kind == .node { return .node(name, pool) }
        let namespace = invocation.values.optional("namespace")
        let found = try await ResourceReader(api: api).workers(named: name, in: namespace)
            .filter { pool == nil || $0.ref.pool == pool }
        guard let first = found.first else { throw CommandError("Worker \(name) not found") }
        guard found.count == 1 else {
            let pools = found.map { "\($0.ref.pool)" }.joined(separator: ", ")
            throw CommandError("there are several workers \(name), of the pools \(pools): name one with --pool")
        }
        return .worker(first.ref)
    }

    /// Tells of each worker when it is drained: it says that it drains, and has no actor any more.
    private static func wait(
        for workers: Set<WorkerRef>, within limit: Duration, _ api: APIClient, _ invocation: Invocation
    ) async throws {
        var left = workers
        var loop = WatchLoop(
            api, api.watchWorkers(), WatchedObjects { workers.contains($0.ref) }, complain: invocation.terminal.complain
        )
        let end = try await loop.run(until: ContinuousClock.now + limit) { changes in
            for change in changes.sorted(by: { $0.object.ref < $1.object.ref }) {
                let worker = change.object
                // One that is gone altogether has no actor either, and comes back drained.
                let isDrained = change.isDeletion || worker.isDrained
                if isDrained, left.remove(worker.ref) != nil { try invocation.say("worker \"\(worker.ref)\" drained") }
            }
            return !left.isEmpty
        }
        guard end == .timeIsUp else { return }
        let names = left.sorted().map { "\($0)" }.joined(separator: ", ")
        throw CommandError(
            "not drained within \(limit.inWords): \(names); the order stands, see: atectl get workers -w")
    }
}

extension WorkerInfo {
    /// Whether it gives up its actor and takes no other.
    var isDraining: Bool { drainingUntilMilliseconds != nil }
    /// Whether it has given it up.
    var isDrained: Bool { isDraining && actor == nil }

    /// In a word.
    var statusWord: String {
        if isDraining { return isDrained ? "DRAINED" : "DRAINING" }
        return actor == nil ? "FREE" : "ASSIGNED"
    }
}
