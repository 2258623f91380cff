import GRPC
import History
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit

/// Callers of the API, who know little of each other and nothing of the faults.
final class SoakLoad: Sendable {
    static let actors = 200
    static let callers = 40

    private let cluster: SoakCluster
    private let settings: SoakSettings
    /// What callers have been told.
    let acknowledged = Shared(AcknowledgedWrites())
    /// How often each kind of call has succeeded, or failed with which code.
    let calls = Shared<[String: Int]>([:])
    /// What callers choose by.
    private let known = Shared(Known())

    private struct Known {
        /// The actors that are thought to run.
        var running: Set<Int> = []
        /// Those that a caller has in hand.
        var busy: Set<Int> = []
    }

    init(_ cluster: SoakCluster, _ settings: SoakSettings) {
        self.cluster = cluster
        self.settings = settings
    }

    static func ref(_ number: Int) -> ActorRef { ActorRef(atespace: Atespace.defaultName, name: "actor-\(number)") }

    /// Creates all actors.
    func createAll() async throws {
        for number in 0..<Self.actors {
            let channel = cluster.replicas[number % cluster.replicas.count].channel
            guard await create(number, channel) else {
                throw DidNotHappen(description: "cannot create \(Self.ref(number)): \(calls.current)")
            }
        }
    }

    /// Calls until then.
    func run(until end: ContinuousClock.Instant) async {
        await withDiscardingTaskGroup { group in
            for caller in 0..<Self.callers {
                group.addTask { await self.call(caller, until: end) }
            }
        }
    }

    private func call(_ caller: Int, until end: ContinuousClock.Instant) async {
        let chance = settings.chance("caller \(caller)")
        while ContinuousClock.now < end, !Task.isCancelled {
            let channel = chance.element(of: cluster.replicas).channel
            let isDone: Bool
            switch chance.number(in: 0..<100) {
            case 0..<45: isDone = await take(chance, running: false) { await self.resume($0, channel) }
            case 45..<67: isDone = await take(chance, running: true) { await self.suspend($0, channel) }
            case 67..<85: isDone = await take(chance, running: true) { await self.pause($0, channel) }
            case 85..<90: isDone = await update(chance.number(in: 0..<Self.actors), channel)
            case 90..<95:
                // Anything to anyone, to get into somebody's way.
                let number = chance.number(in: 0..<Self.actors)
                isDone = await [resume, suspend, pause][chance.number(in: 0..<3)](number, channel)
            default:
                // Only one caller does this to an actor, so that it knows what should be there.
                let number = chance.number(in: 0..<Self.actors) / Self.callers * Self.callers + caller
                isDone = await replace(number, channel)
            }
            // Not a flood of refusals: those who cannot be served would take the time from those who can.
            if !isDone { try? await Task.sleep(for: chance.milliseconds(5...50)) }
        }
    }

    /// Does something with an actor that nobody else has in hand.
    /// - Parameter running: whether it should be one that runs, as far as is known.
    private func take(
        _ chance: Chance, running: Bool, _ call: @escaping @Sendable (Int) async -> Bool
    ) async -> Bool {
        let start = chance.number(in: 0..<Self.actors)
        let number = known.withLock { known -> Int? in
            let fit = (0..<Self.actors).lazy.map { (start + $0) % Self.actors }.first {
                known.running.contains($0) == running && !known.busy.contains($0)
            }
            if let fit { known.busy.insert(fit) }
            return fit
        }
        guard let number else { return false }
        defer { known.withLock { _ = $0.busy.remove(number) } }
        return await call(number)
    }

    /// Soon over, so that a replica that stands still does not hold up everybody: the work goes on without its caller.
    private static let timeout: Duration = .seconds(2)

    @Sendable private func resume(_ number: Int, _ channel: Channel) async -> Bool {
        let request = ResumeActorRequest(actor: Self.ref(number))
        return await change("resume", number, channel, ControlMethods.resumeActor, request)
    }

    @Sendable private func suspend(_ number: Int, _ channel: Channel) async -> Bool {
        let request = SuspendActorRequest(actor: Self.ref(number))
        return await change("suspend", number, channel, ControlMethods.suspendActor, request)
    }

    @Sendable private func pause(_ number: Int, _ channel: Channel) async -> Bool {
        let request = PauseActorRequest(actor: Self.ref(number))
        return await change("pause", number, channel, ControlMethods.pauseActor, request)
    }

    private func update(_ number: Int, _ channel: Channel) async -> Bool {
        let request = UpdateActorRequest(
            actor: Self.ref(number), workerSelector: Selector(matchLabels: ["size": "small"]))
        return await change("update", number, channel, ControlMethods.updateActor, request)
    }

    private func change<Request>(
        _ name: String, _ number: Int, _ channel: Channel, _ method: RPC<Request, ActorResponse>, _ request: Request
    ) async -> Bool {
        do throws(RPCError) {
            tell(try await channel.call(method, request, timeout: Self.timeout).actor, number)
            note(name, nil)
            return true
        } catch {
            note(name, error)
            if error.status.code == .failedPrecondition || error.status.code == .notFound {
                known.withLock { _ = $0.running.remove(number) }
            }
            return false
        }
    }

    private func tell(_ actor: ActorInfo, _ number: Int) {
        guard let status = actor.status else { return }
        acknowledged.withLock {
            $0.told(
                AcknowledgedWrites.Row(
                    ref: actor.ref, status: status, version: actor.version, lastSnapshot: actor.lastSnapshot,
                    workerUID: actor.assignment?.uid))
        }
        known.withLock { known in
            if status == .running { known.running.insert(number) } else { known.running.remove(number) }
        }
    }

    /// Deletes the actor and creates it anew, or whichever of it is to be done.
    private func replace(_ number: Int, _ channel: Channel) async -> Bool {
        guard number < Self.actors else { return false }
        do throws(RPCError) {
            _ = try await channel.call(
                ControlMethods.deleteActor, DeleteActorRequest(actor: Self.ref(number)), timeout: Self.timeout)
            acknowledged.withLock { $0.deleted(Self.ref(number), isKnown: true) }
            note("delete", nil)
        } catch {
            note("delete", error)
            if error.mayHaveBeenDone { acknowledged.withLock { $0.deleted(Self.ref(number), isKnown: false) } }
            if error.status.code != .notFound { return false }
        }
        return await create(number, channel)
    }

    private func create(_ number: Int, _ channel: Channel) async -> Bool {
        do throws(RPCError) {
            let request = CreateActorRequest(actor: Self.ref(number), template: SoakCluster.template)
            let answer = try await channel.call(ControlMethods.createActor, request, timeout: Self.timeout)
            acknowledged.withLock { $0.created(Self.ref(number), isKnown: true) }
            tell(answer.actor, number)
            note("create", nil)
            return true
        } catch {
            note("create", error)
            if error.mayHaveBeenDone { acknowledged.withLock { $0.created(Self.ref(number), isKnown: false) } }
            return false
        }
    }

    private func note(_ name: String, _ error: RPCError?) {
        let outcome = error.map { "\(name) \($0.status.code.name)" } ?? name
        calls.withLock { $0[outcome, default: 0] += 1 }
    }

    /// With the faults over: each actor that is not there is created, and each is resumed and suspended. Nobody is kept from
    /// anyone.
    func visitAll() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<Self.callers {
                group.addTask {
                    for number in stride(from: caller, to: Self.actors, by: Self.callers) {
                        try await self.visit(number)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func visit(_ number: Int) async throws {
        let channel = cluster.replicas[number % cluster.replicas.count].channel
        let steps: [@Sendable (Int, Channel) async -> Bool] = [resume, suspend, resume, suspend]
        for step in steps {
            var isCreated = false
            try await eventually("\(Self.ref(number)) can be resumed and suspended", within: .seconds(60)) {
                if await step(number, channel) { return true }
                let isMissing = await isMissing(number, channel)
                if isMissing, !isCreated { isCreated = await create(number, channel) }
                return false
            }
        }
    }

    private func isMissing(_ number: Int, _ channel: Channel) async -> Bool {
        do throws(RPCError) {
            _ = try await channel.call(
                ControlMethods.getActor, GetActorRequest(actor: Self.ref(number)), timeout: Self.timeout)
            return false
        } catch { return error.status.code == .notFound }
    }
}

extension RPCError {
    /// Whether the server may have carried the call out, or may yet.
    fileprivate var mayHaveBeenDone: Bool {
        guard case .failed(let status) = self else { return false }
        return [.deadlineExceeded, .unavailable, .cancelled, .unknown, .internal].contains(status.code)
    }
}
