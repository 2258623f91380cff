package import Etcd

/// For how long an actor has certainly served nothing.
///
/// Nobody tells when a request is over. So from the moment in which the actor may have begun to serve it counts as serving
/// until a look at its connections finds none, and only from that look on as idle: what this says is never too long, and
/// short of the truth by no more than the time between two looks.
package struct IdleClock: Sendable {
    private var mayServe = true
    private var quiet: Stopwatch?
    /// How often it has been told of requests.
    package private(set) var notes = 0

    package init() {}

    /// A request for the actor has come, or is about to.
    package mutating func served() {
        mayServe = true
        notes += 1
    }

    /// Its connections have been looked at.
    /// - Parameters:
    ///   - notesBefore: `notes` as they were before the look: one that has come since may be of a request that the look missed.
    ///   - now: a stopwatch that has just been started.
    /// - Returns: for how long it has been idle.
    package mutating func looked(isConnected: Bool, notesBefore: Int, now: Stopwatch) -> Duration {
        if isConnected || notes != notesBefore {
            mayServe = true
            return .zero
        }
        if mayServe {
            mayServe = false
            quiet = now
        }
        return quiet?.elapsed() ?? .zero
    }
}
