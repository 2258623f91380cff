package import ServiceKit
internal import SubstrateAPI
package import SubstrateModel
internal import Synchronization

/// The table that requests are answered from, and for how long it can be believed.
///
/// An address that an actor has left belongs to no other for the time of rest. So a table that showed the workers as of some
/// moment leads nobody to a stranger before that time has passed since: it is believed for three quarters of it, and the rest is
/// for whoever has been told an address and has yet to connect. That holds whatever the reason is for which nothing is heard of
/// ateapi, and nothing that the actors themselves do can extend it: a stranger answers just as well.
package final class KnownActors: Sendable {
    /// Which of the streams that follow each other the table is of.
    typealias StreamNumber = Int

    private struct State {
        var table: ActorTable
        var stream: StreamNumber = 0
        /// Until when the table is believed, by `uptime`.
        var believedUntil: Duration = .zero
        /// What has changed since a copy was brought up to date; nil for everything.
        var changed: Set<ActorRef>?
        var nextWaiter = 0
        var waiters: [ActorRef: [Int: Promise<Void, Never>]] = [:]

        mutating func note(_ actors: Set<ActorRef>, limit: Int) {
            changed?.formUnion(actors)
            if let count = changed?.count, count > limit { changed = nil }
        }
    }

    /// For how long the table is believed.
    package let belief: Duration
    private let uptime: @Sendable () -> Duration
    private let environment: Environment
    private let neighbourhood: Neighbourhood
    private let state: Mutex<State>
    /// Hear of everything that a copy of the table has to take in.
    let listeners = Listeners()

    /// Changes that are remembered one by one.
    private static let changeLimit = 10_000

    /// - Parameter rest: how long addresses rest.
    package init(rest: Duration, _ neighbourhood: Neighbourhood = Neighbourhood(), environment: Environment) {
        self.neighbourhood = neighbourhood
        state = Mutex(State(table: ActorTable(neighbourhood)))
        belief = rest * 3 / 4
        self.environment = environment
        uptime = environment.clock.uptime
    }

    /// A table to begin with.
    var emptyTable: ActorTable { ActorTable(neighbourhood) }

    /// The time by which beliefs are measured.
    var now: Duration { uptime() }

    /// Where the actor is, if that is known.
    package func place(of actor: ActorRef) -> ActorTable.Place? {
        let now = now
        return state.withLock { $0.believedUntil > now ? $0.table.place(of: actor) : nil }
    }

    /// Where the routers of other machines take requests, as far as they have been seen.
    var otherRouters: Set<String> { state.withLock { $0.table.otherRouters } }

    /// How many actors are known, and whether that is believed now.
    package var extent: (actors: Int, isBelieved: Bool) {
        let now = now
        return state.withLock { ($0.table.count, $0.believedUntil > now) }
    }

    /// The state that a stream has begun with comes in the place of everything, unless a later stream's has already.
    /// - Parameter moment: the table is no older than this.
    func replace(with table: ActorTable, of stream: StreamNumber, asOf moment: Duration) {
        let woken = state.withLock { state -> [Promise<Void, Never>] in
            guard stream >= state.stream else { return [] }
            state.stream = stream
            state.note(table.difference(from: state.table), limit: Self.changeLimit)
            state.table = table
            state.believedUntil = max(state.believedUntil, moment + belief)
            defer { state.waiters = [:] }
            return state.waiters.values.flatMap(\.values)
        }
        for waiter in woken { waiter.keep(.success(())) }
        listeners.tell()
    }

    /// Takes in what has changed, unless a later stream tells it.
    func take(_ update: WorkersUpdate, of stream: StreamNumber) {
        let woken = state.withLock { state -> [Promise<Void, Never>] in
            guard stream == state.stream else { return [] }
            let changed = state.table.take(update)
            state.note(changed, limit: Self.changeLimit)
            return changed.flatMap { state.waiters.removeValue(forKey: $0)?.map(\.value) ?? [] }
        }
        for waiter in woken { waiter.keep(.success(())) }
        listeners.tell()
    }

    /// A connection to this place has failed.
    package func drop(_ actor: ActorRef, at destination: String) {
        state.withLock { state in
            state.table.drop(actor, at: destination)
            state.note([actor], limit: Self.changeLimit)
        }
        listeners.tell()
    }

    /// What a copy of the table has to take in to be like it.
    struct Changes: Sendable {
        /// Whether the copy has to forget everything first.
        var isWhole: Bool
        /// Nil for actors that are nowhere.
        var places: [(actor: ActorRef, place: ActorTable.Place?)]
        /// For how long the table is believed from now on.
        var belief: Duration
    }

    /// What has changed since the last call. For one copy.
    /// - Parameter isWhole: everything, since the copy may have missed something.
    func changes(isWhole: Bool) -> Changes {
        let now = now
        return state.withLock { state in
            let changed = isWhole ? nil : state.changed
            state.changed = []
            let actors = changed.map(Array.init) ?? Array(state.table.actors)
            return Changes(
                isWhole: changed == nil, places: actors.map { ($0, state.table.place(of: $0)) },
                belief: max(.zero, state.believedUntil - now))
        }
    }

    /// Calls `body` with a function that waits for news of the actor and says whether there were any: what has come since the
    /// call began counts.
    func withNews<Result>(
        of actor: ActorRef, _ body: (_ wait: (_ limit: Duration) async -> Bool) async -> Result
    ) async -> Result {
        let news = Promise<Void, Never>()
        let id = state.withLock { state in
            defer { state.nextWaiter += 1 }
            state.waiters[actor, default: [:]][state.nextWaiter] = news
            return state.nextWaiter
        }
        defer {
            state.withLock { state in
                state.waiters[actor]?[id] = nil
                if state.waiters[actor]?.isEmpty == true { state.waiters[actor] = nil }
            }
        }
        return await body { limit in
            await withTaskGroup(of: Bool.self) { group in
                group.addTask { await news.result() != nil }
                group.addTask { [environment] in
                    try? await environment.clock.sleep(for: limit)
                    return false
                }
                defer { group.cancelAll() }
                return await group.next() ?? false
            }
        }
    }
}

extension Clock where Duration == Swift.Duration {
    /// Time since now, without naming the clock's type.
    fileprivate var uptime: @Sendable () -> Duration {
        let start = now
        return { start.duration(to: self.now) }
    }
}
