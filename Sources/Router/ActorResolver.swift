package import GRPC
package import ServiceKit
internal import SubstrateAPI
package import SubstrateModel
internal import Synchronization

/// Brings actors up for the requests that want them: one call to the control plane for however many requests wait.
package final class ActorResolver: Sendable {
    private let channel: Channel
    private let headers: @Sendable () -> Metadata
    private let environment: Environment
    private let options: ResolverOptions
    private let calls = TaskPool()
    private let state = Mutex(State())

    private struct State {
        var waiting = 0
        var flights: [ActorRef: [Promise<Resolution, Never>]] = [:]
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
    }

    /// Makes the calls that requests wait for, until the task is cancelled.
    package func run() async { await calls.run() }

    /// Where the actor is, once it runs.
    package func resolve(_ actor: ActorRef) async -> Resolution {
        let promise = Promise<Resolution, Never>()
        let (place, refusal) = state.withLock { state -> (Int, Resolution?) in
            let place = state.flights[actor]?.count ?? 0
            if state.waiting >= options.maximumWaiting {
                return (place, .refused(status: 503, message: "too many requests are waiting for actors"))
            }
            if place >= options.maximumWaitingPerActor {
                let name = "actor \"\(actor.name)\""
                return (place, .refused(status: 503, message: "too many requests are waiting for \(name)"))
            }
            state.waiting += 1
            state.flights[actor, default: []].append(promise)
            return (place, nil)
        }
        if let refusal { return refusal }
        if place == 0 {
            calls.submit {
                self.land(actor, await self.resume(actor))
            } orElse: {
                self.land(actor, .refused(status: 503, message: "the router is stopping"))
            }
        }
        let result = await promise.result()
        state.withLock { $0.waiting -= 1 }
        guard case .success(let resolution) = result else {
            return .refused(status: 503, message: "the router is stopping")
        }
        return resolution
    }

    private func land(_ actor: ActorRef, _ resolution: Resolution) {
        let promises = state.withLock { $0.flights.removeValue(forKey: actor) } ?? []
        for promise in promises { promise.keep(.success(resolution)) }
    }

    /// Resumes the actor, trying again when somebody else has it in hand.
    private func resume(_ actor: ActorRef) async -> Resolution {
        let deadline = ContinuousClock.now + options.budget
        var pause = options.firstPause
        var attempt = 1
        while true {
            do throws(RPCError) {
                let left = max(ContinuousClock.now.duration(to: deadline), .milliseconds(1))
                let response = try await channel.call(
                    ControlMethods.resumeActor, ResumeActorRequest(actor: actor), metadata: headers(), timeout: left)
                guard let address = response.actor.assignment?.address, !address.ip.isEmpty, address.port > 0 else {
                    return .refused(status: 500, message: "actor \"\(actor.name)\" routing failed")
                }
                return .destination("\(address)")
            } catch {
                let isLast = attempt == options.attempts || ContinuousClock.now + pause > deadline
                if error.code != .aborted || isLast {
                    environment.log.info("could not bring an actor up", ["actor": .text(actor), "error": .text(error)])
                    return .refused(actor, because: error.status)
                }
            }
            do { try await environment.clock.sleep(for: environment.chance.jittered(pause)) } catch {
                return .refused(status: 503, message: "the router is stopping")
            }
            pause = pause * 3 / 2
            attempt += 1
        }
    }
}

/// Times and limits of the resolver; the reference's where it has them.
package struct ResolverOptions: Sendable {
    /// For one resume with all its attempts.
    package var budget: Duration = .seconds(15)
    package var attempts = 7
    /// Before the second attempt; each further one waits half as long again.
    package var firstPause: Duration = .milliseconds(200)
    /// Requests that may wait at the same time. What the proxy and the endpoint take follows from it.
    package var maximumWaiting = 10_000
    /// Of these, those for one and the same actor, so that one that does not come up leaves room for the others.
    package var maximumWaitingPerActor = 1_000

    package init() {}

    /// Connections of the endpoint: one for each request that waits, and some for those that are refused meanwhile.
    package var endpointConnections: Int { maximumWaiting + 1024 }
}
