import ControlPlane
import History
import SubstrateModel
import SubstrateStore

/// What clients ask for, at random, of any replica.
///
/// `@unchecked`: see `Scheduler`.
final class Load: @unchecked Sendable {
    private unowned let world: World
    var isOver = false
    private var scheduler: Scheduler { world.scheduler }
    private var nextUID = 0
    /// Requests that have not ended.
    private(set) var underWay = 0

    private enum Verb { case resume, suspend, pause, create, delete, update, releaseHold, atespace, drain, undrain }

    /// In how many of a hundred cases each is asked for.
    private static let weights: [(Verb, Int)] = [
        (.resume, 33), (.suspend, 18), (.pause, 10), (.create, 9), (.delete, 6), (.update, 12), (.releaseHold, 5),
        (.atespace, 4), (.drain, 1), (.undrain, 2),
    ]

    init(_ world: World) { self.world = world }

    func start() {
        for name in World.actorNames { ask(.create, of: ActorRef(atespace: Atespace.defaultName, name: name)) }
        next()
    }

    private func next() {
        scheduler.after(scheduler.random.duration(.zero, .milliseconds(400))) { [self] in
            if isOver { return }
            let name = scheduler.random.pick(World.actorNames) ?? ""
            let anyone = ActorRef(atespace: Atespace.defaultName, name: name)
            let verb = verb()
            // Steps conflict when a row is written in the middle of a workflow.
            ask(verb, of: verb == .update ? actorInTransition() ?? anyone : anyone)
            next()
        }
    }

    private func actorInTransition() -> ActorRef? {
        let all = world.state.actors.filter { $0.value.value.state.isTransitional }
        return scheduler.random.pick(all.keys.sorted())
    }

    private func verb() -> Verb {
        var rest = scheduler.random.index(below: 100)
        for (verb, weight) in Self.weights {
            if rest < weight { return verb }
            rest -= weight
        }
        return .resume
    }

    private func ask(_ verb: Verb, of ref: ActorRef) {
        guard let replica = scheduler.random.pick(world.replicas), replica.isUp, let control = replica.control,
            let process = replica.process
        else { return }
        let waits = scheduler.random.once(in: 2)
        nextUID += 1
        let uid = "uid-\(nextUID)"
        if verb == .drain { world.report.count(.drainOrdered) }
        let target = drainTarget()
        let template = scheduler.random.pick(World.templates)?.ref ?? World.templates[0].ref
        world.note("client: \(verb) \(ref) of \(process.name)")
        underWay += 1
        let task = process.start { [self] in
            defer { underWay -= 1 }
            do {
                let answer = try await Self.perform(verb, ref, control, uid: uid, template, target, waits: waits)
                if verb == .create, answer.isDone { world.asked(toCreate: ref, isKnown: !process.isDead) }
                if let deleted = answer.deletedUID { world.toldOfDeletion(of: ref, uid: deleted) }
                if let row = answer.row, !process.isDead { world.told(ref, row) }
                world.note("client: \(verb) \(ref): \(answer.row.map { $0.value.status.rawValue } ?? "done")")
                world.report.countRequest(succeeded: true)
            } catch {
                if verb == .create { world.asked(toCreate: ref, isKnown: false) }
                world.note("client: \(verb) \(ref): \(error)")
                world.report.countRequest(succeeded: false)
            }
        }
        if world.faults.strikes(.callerGone) {
            scheduler.after(scheduler.random.duration(.zero, .seconds(2))) { task?.cancel() }
        }
    }

    private func drainTarget() -> DrainTarget {
        let machine = scheduler.random.pick(world.machines)?.name ?? ""
        return scheduler.random.once(in: 2)
            ? .node(World.pool.ref, machine) : .worker(WorkerRef(pool: World.pool.ref, pod: "\(machine)-0"))
    }

    /// All drains are over.
    func undrainEverything() async {
        let clock = VirtualTime(process: world.outside)
        // Cancelled when the run is taken apart, in which no time passes any more.
        while !Task.isCancelled {
            do {
                guard let store = world.replicas.first(where: \.isUp)?.control?.store else { throw CancellationError() }
                for target in try await store.listDrainOrders().keys.sorted() { _ = try await store.undrain(target) }
                return
            } catch {
                try? await clock.sleep(for: .milliseconds(500))
            }
        }
    }

    /// What the client is told: that it was done, and the row.
    private struct Answer {
        var isDone = true
        var row: Stored<Actor>?
        var deletedUID: String?
    }

    private static func perform(
        _ verb: Verb, _ ref: ActorRef, _ control: ControlPlane, uid: String, _ template: TemplateRef,
        _ target: DrainTarget, waits: Bool
    ) async throws -> Answer {
        let nothing = Answer(isDone: false)
        switch verb {
        case .resume:
            return Answer(
                row: try await control.waitingForOthers(ref, waits, resumes: true) { () throws(ControlError) in
                    try await control.resumeActor(ref, capacityWait: waits ? .seconds(5) : .zero)
                })
        case .suspend: return Answer(row: try await control.suspendActor(ref))
        case .pause: return Answer(row: try await control.pauseActor(ref))
        case .drain:
            try await control.store.drain(target, DrainOrder(graceMilliseconds: 3000, orderedAtMilliseconds: 0))
            return Answer()
        case .undrain: return Answer(isDone: try await control.store.undrain(target))
        case .releaseHold: return Answer(row: try await control.releaseHold(of: ref))
        case .create:
            guard case .created(let row) = try await control.store.createActor(ref, Actor(uid: uid, template: template))
            else { return nothing }
            return Answer(row: row)
        case .delete:
            guard let actor = try await control.store.actor(ref), actor.value.status == .suspended else {
                return nothing
            }
            try await control.store.deleteActor(ref, actor)
            return Answer(deletedUID: actor.value.uid)
        case .update:
            guard let actor = try await control.store.actor(ref) else { return nothing }
            // What a newer version of the control plane would store, different each time.
            var changed = actor.value
            changed.unknownFields = UnknownFields([
                .init(number: 9000, wireType: 2, data: [UInt8(uid.utf8.count)] + uid.utf8)
            ])
            return Answer(row: try await control.store.updateActor(ref, from: actor, to: changed))
        case .atespace:
            guard let atespace = try await control.store.atespace("other") else {
                _ = try await control.store.createAtespace("other", Atespace(uid: uid))
                return Answer()
            }
            _ = try await control.store.deleteAtespace("other", atespace)
            return Answer()
        }
    }

    /// The next request brings every actor back, as far as there are workers: what users are promised, once all is quiet.
    func resumeEverything() async {
        let clock = VirtualTime(process: world.outside)
        // Two tell as much as all, and many runs more than a long one.
        for ref in world.state.actors.keys.sorted().shuffled(using: &scheduler.random).prefix(2) {
            let end = clock.now.advanced(by: Self.returnLimit)
            while let failure = await resumeAndSuspend(ref) {
                if Task.isCancelled { return }
                guard clock.now < end else {
                    let text = "\(ref) does not come back: \(failure)"
                    return world.take([.init(.progress, at: world.cluster.model.revision, text)])
                }
                // A drain that was asked for before may land late.
                await undrainEverything()
                // As a client does: it asks again.
                try? await clock.sleep(for: .seconds(1))
            }
        }
    }

    /// Some of what came before may still be under way, and nodes may still be coming back.
    private static let returnLimit: Duration = .seconds(60)

    /// Frees the workers first, since there are fewer of them than actors, and this one may have to go to a certain node.
    /// Returns why it did not work.
    private func resumeAndSuspend(_ ref: ActorRef) async -> (any Error)? {
        let control = world.replicas.first { $0.isUp }?.control
        do {
            for (other, actor) in world.state.actors.sorted(by: { $0.key < $1.key }) {
                if actor.value.status == .running, other != ref { _ = try await control?.suspendActor(other) }
            }
            if world.state.actors[ref]?.value.isHeld == true { _ = try await control?.releaseHold(of: ref) }
            _ = try await control?.resumeActor(ref, capacityWait: .seconds(30))
            _ = try await control?.suspendActor(ref)
            return control == nil ? CancellationError() : nil
        } catch {
            // A deletion that was asked for before may land late.
            return world.state.actors[ref] == nil ? nil : error
        }
    }
}
