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
    /// For how long the nodes give an address that an actor has left to no other.
    package var addressRest: Duration = .seconds(60)
    /// After a failed connection to the place where ateapi says that the actor is, how long to wait for news of it before the
    /// next one. Together a little longer than a dead node's lease lasts.
    /// Three, since nginx takes ten turns from one location to another for a request: for one of another machine, each try is two.
    package var retryPauses: [Duration] = [.milliseconds(200), .milliseconds(1500), .milliseconds(5300)]

    /// Of which machine it is.
    package var neighbourhood = Neighbourhood()

    package init() {}

    /// Connections of the endpoint: one for each request that waits, and some for those that are refused meanwhile.
    package var endpointConnections: Int { maximumWaiting + 1024 }
}
