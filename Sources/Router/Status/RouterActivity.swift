package import Metrics
package import ServiceKit
package import SubstrateModel
internal import Synchronization

/// What the router is asked and what it answers: in numbers, and for whoever looks the latest of it.
package final class RouterActivity: Sendable {
    static let requests = Definition.counter(
        "ate_router_requests_total",
        "Requests that the proxy has asked about, by what it was told: routed, forwarded to another router, or the code of the refusal",
        by: ["result"])
    static let duration = Definition.histogram(
        "ate_router_resolve_duration_seconds", "How long requests waited until it was known where they go",
        by: ["result"], buckets: Buckets.work)

    /// The latest of what it keeps.
    static let length = 100

    /// Where the last request for an actor went.
    struct Route: Sendable {
        var destination: String
        var time: Int64
    }

    struct Refusal: Sendable {
        /// The actor, or what was asked for instead of one.
        var target: String
        var status: Int
        var message: String
        var time: Int64
    }

    struct State {
        var routes: [ActorRef: Route] = [:]
        /// The oldest first.
        var refusals: [Refusal] = []
    }

    let environment: Environment
    let listeners = Listeners()
    private let requests: Counter
    private let duration: Histogram
    private let state = Mutex(State())

    package init(environment: Environment, _ registry: MetricRegistry = MetricRegistry()) {
        self.environment = environment
        requests = registry.counter(Self.requests)
        duration = registry.histogram(Self.duration)
    }

    var snapshot: State { state.withLock { $0 } }

    /// Finds out where a request goes, and notes that.
    func observing(_ actor: ActorRef, _ resolve: () async -> Resolution) async -> Resolution {
        let time = environment.clock.timer()
        let resolution = await resolve()
        switch resolution {
        case .destination(let destination): routed(actor, to: destination, time())
        case .refused(let status, let message):
            refused(actor.description, status, message)
            duration.observe(time(), "refused")
        }
        listeners.tell()
        return resolution
    }

    /// Notes a request for which it is known where it goes, after that time.
    /// - Parameter count: of such requests, if they are more than one.
    package func routed(_ actor: ActorRef, to destination: Destination, _ time: Duration, count: Int = 1) {
        requests.add(Double(count), destination.isRouter ? "forwarded" : "routed")
        for _ in 0..<count { duration.observe(time, "routed") }
        let route = Route(destination: destination.description, time: environment.wallClock())
        state.withLock { state in
            if state.routes[actor] == nil, state.routes.count >= Self.length,
                let oldest = state.routes.min(by: { $0.value.time < $1.value.time })
            {
                state.routes[oldest.key] = nil
            }
            state.routes[actor] = route
        }
    }

    /// Notes a request that goes nowhere.
    package func refused(_ target: String, _ status: Int, _ message: String) {
        requests.add(1, "\(status)")
        let refusal = Refusal(target: target, status: status, message: message, time: environment.wallClock())
        state.withLock { state in
            state.refusals.append(refusal)
            if state.refusals.count > Self.length { state.refusals.removeFirst() }
        }
        listeners.tell()
    }
}
