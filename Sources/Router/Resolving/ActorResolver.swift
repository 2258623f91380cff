package import GRPC
package import ServiceKit
internal import SubstrateAPI
package import SubstrateModel
internal import Synchronization

/// A connection that could not be made, or that the proxy has yet to try again.
package struct FailedConnection: Sendable, Equatable {
    /// Where it should have gone, `ip:port`.
    package var destination: String
    /// How many have failed for the same request, this one included.
    package var round: Int

    package init(destination: String, round: Int) {
        self.destination = destination
        self.round = round
    }
}

/// Says where actors are. Those that run are known from ateapi's stream of workers; the others are brought up for the requests
/// that want them, with one call to ateapi for however many requests wait.
package final class ActorResolver: Sendable {
    /// Where actors are that run.
    package let known: KnownActors
    private let channel: Channel
    private let headers: @Sendable () -> Metadata
    private let environment: Environment
    private let options: ResolverOptions
    private let feed: WorkerFeed
    private let served: ServedReports
    private let calls = TaskPool()
    private let state = Mutex(State())

    private struct State {
        var waiting = 0
        var waitingFor: [ActorRef: Waiting] = [:]
        var flights: [ActorRef: [Promise<Answer, Never>]] = [:]
        var tally = RouterCounters()
    }

    /// The requests that wait for one actor.
    struct Waiting: Sendable {
        var count: Int
        /// When the first of them came, by the wall clock in milliseconds.
        var since: Int64
    }

    /// What becomes of asking ateapi.
    private struct Answer: Sendable {
        var resolution: Resolution
        /// Whether ateapi has said that, rather than not been there.
        var isOfATEAPI = true
    }

    /// - Parameters:
    ///   - channel: to ateapi.
    ///   - headers: of each call, by which ateapi knows who calls.
    package init(
        channel: Channel, headers: @escaping @Sendable () -> Metadata = { [:] }, environment: Environment,
        options: ResolverOptions = ResolverOptions()
    ) {
        self.channel = channel
        self.headers = headers
        self.environment = environment
        self.options = options
        known = KnownActors(rest: options.addressRest, options.neighbourhood, environment: environment)
        feed = WorkerFeed(channel: channel, headers: headers, known: known, environment: environment)
        served = ServedReports(channel: channel, headers: headers, environment: environment)
    }

    /// Follows where actors run, and makes the calls that requests wait for, until the task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.feed.run() }
            group.addTask { await self.served.run() }
            group.addTask { await self.calls.run() }
        }
    }

    /// What has happened so far, and how things stand.
    package var counters: RouterCounters {
        var counters = state.withLock { state in
            var counters = state.tally
            counters.waiting = state.waiting
            counters.waitingActors = state.waitingFor.count
            return counters
        }
        (counters.actorsKnown, counters.isTableBelieved) = known.extent
        counters.reports = served.count
        return counters
    }

    /// Whether requests can go to other routers.
    var passesOn: Bool { options.neighbourhood.passesOn }

    /// Who waits now.
    var waiting: [ActorRef: Waiting] { state.withLock { $0.waitingFor } }

    /// Where the actor is, if that takes no call.
    package func destinationIfKnown(_ actor: ActorRef) -> Destination? {
        guard let place = known.place(of: actor) else { return nil }
        served.note(place.worker)
        state.withLock { $0.tally.answeredFromTable += 1 }
        return place.destination
    }

    /// The proxy has sent requests, so many for each actor, where its copy of the table said.
    func noteAnswers(_ counts: [ActorRef: Int]) {
        for place in counts.keys.compactMap(known.place) { served.note(place.worker) }
        let sum = counts.values.reduce(0, +)
        state.withLock { $0.tally.answeredFromTable += sum }
    }

    /// Where the actor is, once it runs.
    /// - Parameter failure: the connection that was tried before. What is known of that place is not believed any more.
    package func resolve(_ actor: ActorRef, after failure: FailedConnection? = nil) async -> Resolution {
        if failure == nil, let destination = destinationIfKnown(actor) { return .destination(destination) }
        if let refusal = enter(actor) { return refusal }
        defer { leave(actor) }
        guard let failure else { return await broughtUp(actor).resolution }
        return await again(actor, failure)
    }

    /// The actor has left, is being frozen or thawed, or its node has died and nobody has noticed yet.
    private func again(_ actor: ActorRef, _ failure: FailedConnection) async -> Resolution {
        state.withLock { $0.tally.failedConnections += 1 }
        guard (1...options.retryPauses.count).contains(failure.round) else { return .unreachable }
        let end = known.now + options.retryPauses[failure.round - 1]
        while true {
            let resolution: Resolution? = await known.withNews(of: actor) { wait in
                let resolution = await placeNow(of: actor, after: failure)
                let left = end - known.now
                guard resolution.address == failure.destination, left > .zero else { return resolution }
                guard await wait(left), let place = known.place(of: actor) else { return nil }
                // It is ready again where it was.
                return place.destination.address == failure.destination ? .destination(place.destination) : nil
            }
            if let resolution { return resolution }
        }
    }

    /// What ateapi says; as long as nobody contradicts it, what is known holds.
    private func placeNow(of actor: ActorRef, after failure: FailedConnection) async -> Resolution {
        let answer = await broughtUp(actor)
        if !answer.isOfATEAPI, let place = known.place(of: actor) { return .destination(place.destination) }
        if answer.isOfATEAPI, answer.resolution.address != failure.destination {
            known.drop(actor, at: failure.destination)
        }
        return answer.resolution
    }

    private func enter(_ actor: ActorRef) -> Resolution? {
        let now = environment.wallClock()
        return state.withLock { state in
            if state.waiting >= options.maximumWaiting {
                return .refused(status: 503, message: "too many requests are waiting for actors")
            }
            var waiting = state.waitingFor[actor] ?? Waiting(count: 0, since: now)
            if waiting.count >= options.maximumWaitingPerActor {
                let name = "actor \"\(actor.name)\""
                return .refused(status: 503, message: "too many requests are waiting for \(name)")
            }
            state.waiting += 1
            waiting.count += 1
            state.waitingFor[actor] = waiting
            return nil
        }
    }

    private func leave(_ actor: ActorRef) {
        state.withLock { state in
            state.waiting -= 1
            guard var waiting = state.waitingFor[actor] else { return }
            waiting.count -= 1
            state.waitingFor[actor] = waiting.count == 0 ? nil : waiting
        }
    }

    /// What ateapi says, in the call that is under way for the actor or in a new one.
    private func broughtUp(_ actor: ActorRef) async -> Answer {
        let promise = Promise<Answer, Never>()
        let isFirst = state.withLock { state in
            state.flights[actor, default: []].append(promise)
            return state.flights[actor]?.count == 1
        }
        if isFirst {
            calls.submit {
                self.land(actor, await self.resume(actor))
            } orElse: {
                self.land(actor, Answer(resolution: .stopping))
            }
        }
        guard case .success(let answer) = await promise.result() else { return Answer(resolution: .stopping) }
        return answer
    }

    private func land(_ actor: ActorRef, _ answer: Answer) {
        let promises = state.withLock { $0.flights.removeValue(forKey: actor) } ?? []
        for promise in promises { promise.keep(.success(answer)) }
    }

    private func canTryAgain(_ attempt: Int, _ pause: Duration, _ deadline: ContinuousClock.Instant) -> Bool {
        attempt < options.attempts && ContinuousClock.now + pause <= deadline
    }

    /// Resumes the actor, trying again when somebody else has it in hand.
    private func resume(_ actor: ActorRef) async -> Answer {
        let deadline = ContinuousClock.now + options.budget
        var pause = options.firstPause
        var attempt = 1
        while true {
            do throws(RPCError) {
                state.withLock { $0.tally.resumeCalls += 1 }
                let left = max(ContinuousClock.now.duration(to: deadline), .milliseconds(1))
                let response = try await channel.call(
                    ControlMethods.resumeActor, ResumeActorRequest(actor: actor), metadata: headers(), timeout: left)
                guard let address = response.actor.assignment?.address, !address.ip.isEmpty, address.port > 0 else {
                    return Answer(
                        resolution: .refused(status: 500, message: "actor \"\(actor.name)\" routing failed"))
                }
                if let destination = options.neighbourhood.destination(address, behind: response.actor.routerAddress) {
                    return Answer(resolution: .destination(destination))
                }
                // Its worker has just been lost, or is not known to that replica yet. Or its agent has no --router-address.
                guard canTryAgain(attempt, pause, deadline) else {
                    environment.log.warning(
                        "nobody says where the router of an actor's machine is: has its atelet a --router-address?",
                        ["actor": .text(actor), "address": .text(address)])
                    return Answer(resolution: .homeless(actor))
                }
            } catch {
                if error.code != .aborted || !canTryAgain(attempt, pause, deadline) {
                    environment.log.info("could not bring an actor up", ["actor": .text(actor), "error": .text(error)])
                    return Answer(
                        resolution: .refused(actor, because: error.status), isOfATEAPI: error.code != .unavailable)
                }
            }
            do { try await environment.clock.sleep(for: environment.chance.jittered(pause)) } catch {
                return Answer(resolution: .stopping)
            }
            pause = pause * 3 / 2
            attempt += 1
        }
    }
}
