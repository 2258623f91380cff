package import Metrics
internal import ServiceKit
package import StatusPage
internal import SubstrateModel

/// What atenet's status page says.
package struct RouterStatus: Sendable {
    private let resolver: ActorResolver
    private let activity: RouterActivity
    private let api: APIProbe
    /// Where clients connect.
    private let address: String

    package init(resolver: ActorResolver, activity: RouterActivity, api: APIProbe, address: String) {
        self.resolver = resolver
        self.activity = activity
        self.api = api
        self.address = address
    }

    package func source(_ metrics: MetricRegistry) -> StatusSource {
        StatusSource(
            metrics: metrics, environment: activity.environment,
            // One that has found ateapi once goes on with what it has: whoever takes it out of service makes it worse.
            hindrances: { api.hasServed ? [] : ["ateapi has not been found to serve yet"] },
            changes: { changes }, report: { report($0) })
    }

    private var changes: AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let task = Task {
            await withDiscardingTaskGroup { group in
                for listeners in [activity.listeners, api.listeners] {
                    group.addTask { for await _ in listeners.changes { continuation.yield() } }
                }
            }
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    private func report(_ query: StatusQuery) -> StatusReport {
        let state = activity.snapshot
        let counters = resolver.counters
        return StatusReport(
            program: "atenet", name: address,
            facts: [
                apiFact,
                StatusReport.Fact("actors that are known to run", "\(counters.actorsKnown)"),
                StatusReport.Fact(
                    "what is known", counters.isTableBelieved ? "is believed" : "is too old to be believed",
                    counters.isTableBelieved ? .good : .warning),
                StatusReport.Fact(
                    "requests that wait", "\(counters.waiting)", counters.waiting > 0 ? .warning : .plain),
                StatusReport.Fact("actors they wait for", "\(counters.waitingActors)"),
            ],
            lists: [waiters(query), refusals(state, query), routes(state, query)])
    }

    private var apiFact: StatusReport.Fact {
        switch api.answer {
        case nil: StatusReport.Fact("ateapi", "not asked yet")
        case .serving: StatusReport.Fact("ateapi", "serves", .good)
        case .notServing: StatusReport.Fact("ateapi", "answers, and does not serve", .warning)
        case .failed(let reason): StatusReport.Fact("ateapi", reason, .bad)
        }
    }

    private func waiters(_ query: StatusQuery) -> StatusReport.List {
        let rows = resolver.waiting.filter { query.matches($0.key.description) }.sorted {
            $0.value.since < $1.value.since
        }
        return StatusReport.List(
            "waiting", "Who waits", [.init("actor"), .init("requests"), .init("since", .time)],
            rows: rows.prefix(query.limit).map { actor, waiting in
                [.text(actor), .integer(Int64(waiting.count)), .integer(waiting.since)]
            }, total: rows.count)
    }

    private func refusals(_ state: RouterActivity.State, _ query: StatusQuery) -> StatusReport.List {
        let rows = state.refusals.reversed().filter { query.matches($0.target, $0.message, "\($0.status)") }
        return StatusReport.List(
            "refusals", "Refusals", note: "the last \(RouterActivity.length)",
            [.init("when", .time), .init("target"), .init("code"), .init("message")],
            rows: rows.prefix(query.limit).map { refusal in
                [
                    .integer(refusal.time), .string(refusal.target), .integer(Int64(refusal.status)),
                    .string(refusal.message),
                ]
            }, total: rows.count)
    }

    private func routes(_ state: RouterActivity.State, _ query: StatusQuery) -> StatusReport.List {
        let rows = state.routes.filter { query.matches($0.key.description, $0.value.destination) }
            .sorted { ($1.value.time, $0.key) < ($0.value.time, $1.key) }
        return StatusReport.List(
            "routes", "Routes", note: "the last \(RouterActivity.length) actors that requests went to",
            [.init("actor"), .init("destination"), .init("asked", .time)],
            rows: rows.prefix(query.limit).map { actor, route in
                [.text(actor), .string(route.destination), .integer(route.time)]
            }, total: rows.count)
    }
}
