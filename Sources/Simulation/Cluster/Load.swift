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

    private enum Verb: CaseIterable { case resume, suspend, pause, create, delete, update, releaseHold, atespace }

    /// In how many of a hundred cases each is asked for.
    private static let weights: [(Verb, Int)] = [
        (.resume, 40), (.suspend, 20), (.pause, 10), (.create, 10), (.delete, 6), (.update, 6), (.releaseHold, 6),
        (.atespace, 2),
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
            ask(verb(), of: ActorRef(atespace: Atespace.defaultName, name: name))
            next()
        }
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
        let template = scheduler.random.pick(World.templates)?.ref ?? World.templates[0].ref
        world.note("client: \(verb) \(ref) of \(process.name)")
        let task = process.start { [self] in
            do {
                let answer = try await Self.perform(verb, ref, control, uid: uid, template, waits: waits)
                if answer.isDone, [.create, .delete].contains(verb) {
                    world.asked(toCreate: verb == .create, ref, isKnown: true)
                }
                if let row = answer.row { world.told(ref, row) }
                world.note("client: \(verb) \(ref): \(answer.row.map { $0.value.status.rawValue } ?? "done")")
                world.report.countRequest(succeeded: true)
            } catch {
                if [.create, .delete].contains(verb) {
                    world.asked(toCreate: verb == .create, ref, isKnown: false)
                }
                world.note("client: \(verb) \(ref): \(error)")
                world.report.countRequest(succeeded: false)
            }
        }
        if world.faults.strikes(.callerGone) {
            scheduler.after(scheduler.random.duration(.zero, .seconds(2))) { task?.cancel() }
        }
    }

    /// What the client is told: that it was done, and the row.
    private struct Answer {
        var isDone = true
        var row: Stored<Actor>?
    }

    private static func perform(
        _ verb: Verb, _ ref: ActorRef, _ control: ControlPlane, uid: String, _ template: TemplateRef, waits: Bool
    ) async throws -> Answer {
        let nothing = Answer(isDone: false)
        switch verb {
        case .resume:
            return Answer(
                row: try await control.waitingForOthers(ref, waits) { () throws(ControlError) in
                    try await control.resumeActor(ref, capacityWait: waits ? .seconds(5) : .zero)
                })
        case .suspend: return Answer(row: try await control.suspendActor(ref))
        case .pause: return Answer(row: try await control.pauseActor(ref))
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
            return Answer()
        case .update:
            guard let actor = try await control.store.actor(ref) else { return nothing }
            return Answer(row: try await control.store.updateActor(ref, from: actor, to: actor.value))
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
        guard let control = world.replicas.first(where: \.isUp)?.control else { return }
        for ref in world.state.actors.keys.sorted() {
            do {
                if world.state.actors[ref]?.value.isHeld == true { _ = try await control.releaseHold(of: ref) }
                _ = try await control.resumeActor(ref, capacityWait: .seconds(30))
                _ = try await control.suspendActor(ref)
            } catch {
                world.take([
                    .init(.progress, at: world.cluster.model.revision, "\(ref) does not come back: \(error)")
                ])
            }
        }
    }
}
