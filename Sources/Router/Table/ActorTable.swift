package import SubstrateAPI
package import SubstrateModel

/// Where the actors are that run and are ready for requests, as the updates of one stream tell: at most one for each worker.
package struct ActorTable: Sendable {
    /// Where requests for an actor go.
    package struct Place: Sendable, Equatable {
        package var destination: Destination
        package var worker: ServedWorker

        package init(destination: Destination, worker: ServedWorker) {
            self.destination = destination
            self.worker = worker
        }
    }

    private let neighbourhood: Neighbourhood
    private var places: [ActorRef: Place] = [:]
    /// The actors of workers, ready or not, so that it is noticed when they leave.
    private var held: [WorkerRef: ActorRef] = [:]

    /// The routers of other machines that workers are behind.
    private var routers: [WorkerRef: String] = [:]

    package init(_ neighbourhood: Neighbourhood = Neighbourhood()) { self.neighbourhood = neighbourhood }

    package var count: Int { places.count }

    package func place(of actor: ActorRef) -> Place? { places[actor] }

    /// The actors that are somewhere.
    package var actors: some Collection<ActorRef> { places.keys }

    /// Where the routers of other machines take requests.
    var otherRouters: Set<String> {
        Set(
            routers.values.compactMap { neighbourhood.destination(ActorAddress(ip: "", port: 0), behind: $0) }
                .filter(\.isRouter).map(\.address))
    }

    /// The actors that are not where they are in the other table.
    package func difference(from other: ActorTable) -> Set<ActorRef> {
        var different = Set(other.places.keys.filter { places[$0] == nil })
        for (actor, place) in places where other.places[actor] != place { different.insert(actor) }
        return different
    }

    /// Takes in what has changed, or a part of the state that comes in the place of an empty table.
    /// - Returns: the actors whose places may have changed.
    @discardableResult
    package mutating func take(_ update: WorkersUpdate) -> Set<ActorRef> {
        var changed: Set<ActorRef> = []
        // Those that leave first: an actor may have gone from one worker to another within the update.
        for ref in update.deleted {
            remove(ref, &changed)
            routers[ref] = nil
        }
        for worker in update.workers { remove(worker.ref, &changed) }
        for worker in update.workers {
            routers[worker.ref] = worker.routerAddress
            guard let actor = worker.actor else { continue }
            changed.insert(actor)
            held[worker.ref] = actor
            guard worker.isActorReady, !worker.ip.isEmpty, worker.port > 0 else { continue }
            let address = ActorAddress(ip: worker.ip, port: worker.port)
            guard let destination = neighbourhood.destination(address, behind: worker.routerAddress) else { continue }
            places[actor] = Place(
                destination: destination, worker: ServedWorker(ref: worker.ref, uid: worker.uid))
        }
        return changed
    }

    /// Forgets the actor's place if it is this one, until there is news of it.
    package mutating func drop(_ actor: ActorRef, at destination: String) {
        if places[actor]?.destination.address == destination { places[actor] = nil }
    }

    private mutating func remove(_ worker: WorkerRef, _ changed: inout Set<ActorRef>) {
        guard let actor = held.removeValue(forKey: worker) else { return }
        changed.insert(actor)
        if places[actor]?.worker.ref == worker { places[actor] = nil }
    }
}
