package import Metrics

extension ActorResolver {
    static let waitingNow = Definition.gauge(
        "ate_router_waiting_requests", "Requests that wait for their actors now")
    static let waitingActors = Definition.gauge(
        "ate_router_waiting_actors", "Actors that requests wait for now")
    static let knownActors = Definition.gauge(
        "ate_router_known_actors", "Actors that ateapi's stream of workers shows running and ready now")
    static let isTableBelieved = Definition.gauge(
        "ate_router_table_believed",
        "Whether requests are answered from what the stream of workers has shown: it was heard of not too long ago")
    static let tableAnswers = Definition.counter(
        "ate_router_table_answers_total",
        "Requests that were answered from what the stream of workers has shown, without a call")
    static let resumeCalls = Definition.counter(
        "ate_router_resume_calls_total", "Calls of ResumeActor, each attempt counted")
    static let failedConnections = Definition.counter(
        "ate_router_failed_connections_total",
        "Connections to actors that could not be made, and requests that another router had nobody for")
    static let reports = Definition.counter(
        "ate_router_served_reports_total", "Reports of who has been asked for that ateapi has taken")

    /// Shows what has happened and how things stand. Keeps nothing alive.
    package func addReadings(to registry: MetricRegistry) {
        func add(_ definition: Definition, _ value: @escaping @Sendable (RouterCounters) -> Int) {
            registry.reading(definition) { [weak self] in self.map { Double(value($0.counters)) } }
        }
        add(Self.waitingNow) { $0.waiting }
        add(Self.waitingActors) { $0.waitingActors }
        add(Self.knownActors) { $0.actorsKnown }
        add(Self.isTableBelieved) { $0.isTableBelieved ? 1 : 0 }
        add(Self.tableAnswers) { $0.answeredFromTable }
        add(Self.resumeCalls) { $0.resumeCalls }
        add(Self.failedConnections) { $0.failedConnections }
        add(Self.reports) { $0.reports }
    }
}
