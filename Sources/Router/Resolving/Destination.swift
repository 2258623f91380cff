/// Where a request for an actor goes.
package struct Destination: Sendable, Hashable, CustomStringConvertible {
    /// `ip:port`
    package var address: String
    /// Whether the router of another machine listens there, which passes the request on to the actor.
    package var isRouter: Bool

    package init(_ address: String, isRouter: Bool = false) {
        self.address = address
        self.isRouter = isRouter
    }

    package var description: String { isRouter ? "the router at \(address)" : address }
}
