import ControlPlane
import Etcd
import History
import NodeAgent
import ServiceKit
import SubstrateModel
import SubstrateStore

/// One run: an etcd, replicas of the control plane and nodes with their real code, clients that want things, and faults, all
/// under one scheduler and one seed; and what must hold, checked after every step.
///
/// `@unchecked`: see `Scheduler`.
final class World: @unchecked Sendable {
    let scheduler: Scheduler
    let cluster: EtcdCluster
    let faults: Faults
    let report: Report
    let bug: PlantedBug?
    /// How long nodes may stay without a final answer.
    let answerLimit: Duration
    var running = RunningActors()
    var addresses = AddressUse(rest: Machine.addressRest)
    private(set) var replicas: [Replica] = []
    private(set) var machines: [Machine] = []
    /// Where clients and operators are; it never dies.
    private(set) var outside: SimulatedProcess
    private var processes = 0
    private var checker: HistoryChecker
    private var promises = Promises()
    private(set) var violations: [Violation] = []
    /// What happened, if it is to be kept.
    private(set) var history: [String] = []
    private let keepsHistory: Bool
    private var confirmed: Confirmations
    private var presences: [String: WorkerRef] = [:]

    static let pool = WorkerPool(
        ref: PoolRef(namespace: "default", name: "pool"), replicas: 4, sandboxClass: .process)
    static let actorNames = (0..<6).map { "actor-\($0)" }
    static let templates = OnWorkerLoss.allCases.map { policy in
        var template = ActorTemplate(
            ref: TemplateRef(namespace: "default", name: "\(policy)"),
            containers: [Container(name: "main", command: ["true"])], snapshotLocation: "file:///snapshots",
            onCommit: .data, sandboxClass: .process)
        template.onWorkerLoss = policy
        if policy == .revert { template.idleTimeout = .seconds(2) }
        if policy == .hold { template.golden = true }
        return template
    }

    /// - Parameter keepsHistory: whether `history` is written, which takes time.
    init(seed: UInt64, bug: PlantedBug? = nil, keepsHistory: Bool = false) {
        scheduler = Scheduler(seed: seed)
        report = Report()
        faults = Faults(scheduler, report)
        cluster = EtcdCluster(scheduler)
        outside = SimulatedProcess("outside", number: 0, scheduler)
        self.bug = bug
        self.keepsHistory = keepsHistory
        let confirmed = Confirmations()
        self.confirmed = confirmed
        checker = HistoryChecker(keys: Keys()) { snapshot, epoch in confirmed.contains(snapshot, epoch) }
        answerLimit = scheduler.random.pick([.seconds(3), .seconds(6), .seconds(12)]) ?? .seconds(12)
        scheduler.hastens = scheduler.random.pick([0, 8, 16, 64]) ?? 0
        cluster.onCommit = { [unowned self] events in committed(events) }
        cluster.onExpiry = { [report] in report.count(.leaseExpired) }
        let shapes = [[2, 2], [2, 1, 1], [1, 1, 1, 1]]
        for (number, workers) in (scheduler.random.pick(shapes) ?? []).enumerated() {
            machines.append(Machine(number, workers: workers, self))
        }
        for number in 0..<(2 + scheduler.random.index(below: 2)) { replicas.append(Replica(number, self)) }
    }

    // MARK: What happens

    func newProcess(_ name: String) -> SimulatedProcess {
        processes += 1
        return SimulatedProcess(name, number: processes, scheduler)
    }

    func machine(at address: String) -> Machine? { machines.first { $0.address == address } }

    /// The worker that had a presence of this uid.
    func worker(ofPresence uid: String) -> WorkerRef? { presences[uid] }

    func note(_ text: @autoclosure () -> String) {
        guard keepsHistory else { return }
        history.append("\(scheduler.now.seconds) \(text())")
    }

    /// What becomes of the lines that a process logs; nil when no history is kept.
    func log(of process: SimulatedProcess) -> (@Sendable (Log.Line) -> Void)? {
        guard keepsHistory else { return nil }
        let name = process.name
        return { [unowned self] line in
            let fields = line.fields.map { "\($0)=\($1.text())" }.joined(separator: " ")
            note("\(name): \(line.level.name): \(line.message) \(fields)")
        }
    }

    func take(_ new: [Violation]) {
        for violation in new { note("VIOLATION \(violation)") }
        violations += new
    }

    private func committed(_ events: ArraySlice<WatchEvent>) {
        guard let revision = events.first?.revision else { return }
        scheduler.note(UInt64(revision))
        let outcome = checker.apply(Change(revision: revision, events: Array(events)))
        if keepsHistory { for event in events { note("etcd: \(event.text)") } }
        for step in outcome.steps { promises.happened(step) }
        take(outcome.violations + promises.takeViolations())
        for sandbox in machines.flatMap(\.sandboxes) where !sandbox.isFrozen { checkClaim(of: sandbox.run) }
        for event in events {
            if case .put(let pair, nil) = event, case .live(let ref) = StepKind.keys.worker(pair.key),
                let presence = try? Codec.decode(pair, as: Presence.self)
            {
                presences[presence.value.uid] = ref
            }
        }
    }

    /// What clients are told is told here, too.
    func told(_ ref: ActorRef, _ actor: Stored<Actor>) { promises.told(ref, actor) }

    /// A client's request to create an actor has ended.
    /// - Parameter isKnown: whether the client was told that it was carried out; otherwise nobody knows.
    func asked(toCreate ref: ActorRef, isKnown: Bool) { promises.asked(toCreate: ref, isKnown: isKnown) }

    /// A client was told that the actor is deleted. Whose deletion it was nobody can tell when an answer was lost.
    func toldOfDeletion(of ref: ActorRef, uid: String) {
        guard state.actors[ref]?.value.uid == uid else { return }
        take([Violation(.writes, at: cluster.model.revision, "a client was told that \(ref) is deleted")])
    }

    var state: StoreState { checker.state }

    // MARK: Who runs

    /// What a node runs, it runs for a claim that stands, made to the registration that it has now: stricter than that no two
    /// run an actor, and what that rests on.
    func checkClaim(of run: RunningActors.Run) {
        let reason: String
        if let binding = state.bindings[run.worker], binding.epoch == run.epoch {
            if !state.isLost(run.worker) { return }
            reason = "which is bound for another registration"
        } else {
            reason = "whose claim is gone"
        }
        take([Violation(.exclusion, at: cluster.model.revision, "\(run.worker) runs \(run.actorUID), \(reason)")])
    }

    // MARK: Snapshots

    /// A node has written a snapshot completely.
    func keep(_ uri: SnapshotURI, _ run: RunningActors.Run, on machine: Machine) {
        let local = uri.text.hasPrefix("local://")
        let name = uri.text.split(separator: "/").suffix(2).joined(separator: "/")
        if local, let name = LocalSnapshotName(name) {
            machine.localSnapshots[name] = machine.owner(uid: name.actorUID)
            confirmed.add(.local(name), run.epoch)
        } else {
            confirmed.add(.external(uri), run.epoch)
        }
        note("\(machine.name): the snapshot \(uri) is complete")
    }

    func has(_ uri: SnapshotURI, on machine: Machine) -> Bool {
        let name = uri.text.split(separator: "/").suffix(2).joined(separator: "/")
        if uri.text.hasPrefix("local://") {
            return LocalSnapshotName(name).map { machine.localSnapshots[$0] != nil } ?? false
        }
        return confirmed.has(uri)
    }

    func remove(_ uri: SnapshotURI) {
        note("the snapshot \(uri) is removed")
        confirmed.remove(uri)
        for (ref, actor) in state.actors where actor.value.externalSnapshots.contains(uri) {
            take([
                Violation(.snapshots, at: cluster.model.revision, "\(uri) was removed, and \(ref) names it")
            ])
        }
        for template in templates where template.status.goldenSnapshot == uri {
            take([
                Violation(.snapshots, at: cluster.model.revision, "\(uri) was removed, and \(template.ref) names it")
            ])
        }
    }

    /// The templates as they are stored.
    private var templates: [ActorTemplate] {
        Self.templates.compactMap { template in
            cluster.model.pair(StepKind.keys.template(template.ref)).flatMap {
                try? Codec.decode($0, as: ActorTemplate.self).value
            }
        }
    }

    // MARK: The run

    /// Most steps of a run, by far.
    private static let stepLimit = 200_000

    /// Runs to the end, or to the first violation.
    func run() {
        prepare()
        let load = Load(self)
        let chaos = Chaos(self)
        load.start()
        chaos.start()
        let end = scheduler.now + scheduler.random.duration(.seconds(2), .seconds(8))
        step { [self] in scheduler.now < end || scheduler.steps < 500 }
        load.isOver = true
        faults.isOver = true
        chaos.heal()
        outside.start { await load.undrainEverything() }
        settle(load)
        report.countRun(steps: scheduler.steps)
        dismantle()
    }

    /// Ends everything that is left, which would keep itself and the world in memory otherwise.
    private func dismantle() {
        for process in replicas.compactMap(\.process) + machines.compactMap(\.agent?.process) + [outside] {
            process.kill()
        }
        scheduler.end()
        replicas = []
        machines = []
    }

    /// Steps while the condition holds.
    private func step(while condition: () -> Bool) {
        while violations.isEmpty, condition() {
            guard scheduler.steps < Self.stepLimit else {
                return take([Violation(.progress, at: cluster.model.revision, "the run does not end")])
            }
            guard scheduler.step() else { return }
        }
    }

    /// Pools, templates, actors, and everything started, before anything goes wrong.
    private func prepare() {
        faults.isOver = true
        let store = Store(etcd: SimulatedEtcd(outside, cluster, faults, nil))
        outside.start {
            _ = try? await store.createAtespace(Atespace.defaultName, Atespace(uid: "atespace"))
            _ = try? await store.putPool(Self.pool, over: nil)
            for template in Self.templates { _ = try? await store.createTemplate(template) }
        }
        step { !outside.hasEnded }
        for machine in machines { machine.startAgent() }
        for replica in replicas { replica.start() }
        faults.isOver = false
    }

    /// Longest time until everything is stable once nothing goes wrong any more: above all the release of what nobody
    /// answers for, which takes the answer limit.
    private static let settlingLimit: Duration = .seconds(180)

    private func settle(_ load: Load) {
        let deadline = scheduler.now + Self.settlingLimit
        var next = scheduler.now
        step { [self] in
            // Looking costs more than a step.
            guard scheduler.now >= next else { return true }
            next = scheduler.now + .milliseconds(100)
            return scheduler.now < deadline && unsettled() != nil
        }
        if violations.isEmpty, let reason = unsettled() {
            take([Violation(.progress, at: cluster.model.revision, "not stable in time: \(reason)")])
        }
        outside.start { await load.resumeEverything() }
        step { !outside.hasEnded || load.underWay > 0 }
        take(promises.violations(at: cluster.model.revision))
    }

    /// Whether there is a free worker that the actor can be resumed on.
    private func hasFreeWorker(for actor: Actor) -> Bool {
        // The node that has its local snapshot is waited for while it is there, however full it is.
        let node = state.presences.values.filter { $0.value.directoryID == actor.localSnapshot?.directoryID }
        return state.presences.contains { worker, presence in
            state.bindings[worker] == nil && !presence.value.isDraining
                && (node.isEmpty || node.contains { $0.value.uid == presence.value.uid })
        }
    }

    /// Why not everything is stable; nil when it is.
    private func unsettled() -> String? {
        if let left = checker.leftovers().first { return "\(left)" }
        for ref in state.actors.keys.sorted() {
            guard let actor = state.actors[ref]?.value else { continue }
            if actor.state.isTransitional { return "\(ref) is \(actor.status.rawValue)" }
            if actor.isResumeDue, hasFreeWorker(for: actor) { return "\(ref) is to be resumed" }
            guard let worker = actor.state.assignment?.worker else { continue }
            let epoch = state.bindings[worker]?.epoch
            let isAlive = machines.contains { machine in
                machine.sandboxes.contains { $0.run.worker == worker && $0.run.epoch == epoch && !$0.isFrozen }
            }
            if !isAlive { return "\(ref) is RUNNING on \(worker), where nothing runs" }
        }
        for template in templates where template.golden && template.status.goldenSnapshot == nil {
            let actor = Actor(uid: "", template: template.ref)
            if hasFreeWorker(for: actor) { return "\(template.ref) has no golden snapshot" }
        }
        for sandbox in machines.flatMap(\.sandboxes)
        where state.bindings[sandbox.run.worker]?.epoch != sandbox.run.epoch {
            return "\(sandbox.run) runs and is not bound"
        }
        return nil
    }
}

extension Duration {
    /// For messages: seconds with four digits behind the point.
    var seconds: String {
        let units = nanoseconds / 100_000
        let digits = String(units % 10_000)
        return "\(units / 10_000).\(String(repeating: "0", count: 4 - digits.count))\(digits)"
    }
}

extension WatchEvent {
    fileprivate var text: String {
        switch self {
        case .delete(let key, let revision, _): return "\(revision) delete \(key)"
        case .put(let pair, _):
            var value = ""
            if StepKind.keys.actorRef(pair.key) != nil, let actor = try? Codec.decode(pair, as: Actor.self).value {
                value = "\(actor.state)"
            } else if case .bound = StepKind.keys.worker(pair.key),
                let binding = try? Codec.decode(pair, as: Binding.self).value
            {
                value = "\(binding.actor) \(binding.phase) incarnation \(binding.incarnation)"
            } else if StepKind.keys.operationRef(pair.key) != nil,
                let operation = try? Codec.decode(pair, as: Operation.self).value
            {
                value = "\(operation.kind) of \(operation.owner)"
            }
            return "\(pair.modRevision) put \(pair.key) \(value)"
        }
    }
}
