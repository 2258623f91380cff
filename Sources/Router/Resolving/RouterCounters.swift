/// What a router has done since it began, and how things stand now.
package struct RouterCounters: Sendable, Equatable {
    /// Requests whose actor was known to run, so that nobody was asked.
    package var answeredFromTable = 0
    /// Calls to ateapi's ResumeActor, attempts counted one by one.
    package var resumeCalls = 0
    /// Connections to actors that the proxy, or the endpoint for it, could not make.
    package var failedConnections = 0
    /// Reports of served actors that ateapi has taken.
    package var reports = 0

    /// Requests that wait for an actor now.
    package var waiting = 0
    /// The actors that they wait for.
    package var waitingActors = 0
    /// Actors in the table now.
    package var actorsKnown = 0
    /// Whether requests are answered from the table now: ateapi was heard of not too long ago.
    package var isTableBelieved = false

    package init() {}
}
