package import ServiceKit
internal import SubstrateModel

/// Which actors a router reaches itself, and which by the routers of their machines.
package struct Neighbourhood: Sendable {
    /// Where this router takes requests of others, which is what the agents of its machine say of their workers; nil when it
    /// takes none.
    package var ownAddress: IPv4Place?
    /// Whether it can send requests to other routers: it has the certificates for that.
    package var passesOn: Bool

    package init(ownAddress: IPv4Place? = nil, passesOn: Bool = false) {
        self.ownAddress = ownAddress
        self.passesOn = passesOn
    }

    /// Where requests go for an actor that listens at `actor`, on a machine whose router takes requests at `router`.
    ///
    /// Nil when that is not known: among several machines an address alone says nothing, since it can be another actor's on this one.
    func destination(_ actor: ActorAddress, behind router: String?) -> Destination? {
        guard let router else { return ownAddress == nil && !passesOn ? Destination("\(actor)") : nil }
        guard let place = IPv4Place(router) else { return nil }
        return place == ownAddress ? Destination("\(actor)") : Destination(place.description, isRouter: true)
    }
}
