internal import Etcd
internal import Metrics
internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore

/// A lease while a node holds it.
struct HeldLease: Sendable {
    var lease: Lease
    var margin: Duration
    var clock: LeaseClock
    let bindings = ShownBindings()

    /// How long actors may run after a renewal.
    func hold(_ sinceSent: Stopwatch) -> LeaseHold {
        LeaseHold(duration: lease.timeToLive - margin, sinceSent: sinceSent)
    }
}

extension NodeAgent {
    /// Renews the lease while the node's loops make progress. Returns when the lease is gone.
    ///
    /// When it could not be renewed in time the actors are frozen. Only etcd knows whether the lease is gone by then, so it is
    /// asked for as long as it takes; the actors wait, and cost nobody anything, since either nobody can have them meanwhile
    /// or they have been released already.
    /// - Throws: `CancellationError`.
    func keep(_ held: HeldLease, sinceGrant: Stopwatch) async throws {
        let keeper = LeaseKeeper(
            store: store.etcd, lease: held.lease, margin: held.margin, clock: environment.clock)
        let loss = try await keeper.run(
            sinceGrant: sinceGrant,
            mayRenew: { self.makesProgress() },
            onLapse: { error in await self.freeze(held, error) },
            onRenewal: { sent in await self.renewed(held, sent) })
        held.clock.lose()
        metrics.losses.add()
        environment.log.error("lost the lease: killing all actors", ["reason": .text(loss)])
    }

    private func makesProgress() -> Bool {
        if let hung = health.newlyHung() {
            if hung.isEmpty {
                environment.log.info("the node makes progress again", ["node": .string(options.node)])
            } else {
                environment.log.error(
                    "the lease is not renewed, since parts of the node make no progress",
                    ["hung": .array(hung.map { .string($0) })])
            }
        }
        return health.hung.isEmpty
    }

    private func freeze(_ held: HeldLease, _ error: EtcdError?) async {
        held.clock.lapse()
        metrics.lapses.add()
        readiness.set(false)
        let reason = health.hung.isEmpty ? "no answer" : "the node makes no progress"
        environment.log.error(
            "the lease was not renewed in time: the actors are frozen until it is, or is known to be gone",
            ["node": .string(options.node), "reason": .string(error.map { "\($0)" } ?? reason)])
        await watchdog.freeze()
    }

    /// A renewal has succeeded. False when actors are frozen and could not be let go on.
    private func renewed(_ held: HeldLease, _ sinceSent: Stopwatch) async -> Bool {
        let hold = held.hold(sinceSent)
        // The watchdog hears of it first: what it may have frozen is not running.
        if held.clock.isGood, watchdog.extend(hold), held.clock.renewed(hold) { return true }
        held.clock.lapse()
        if await thaw(held.clock, hold) { return true }
        if held.clock.thawFailed() >= Self.thawAttempts {
            environment.log.error(
                "the actors could not be let go on: giving up the lease, so that they come back elsewhere",
                ["node": .string(options.node), "attempts": .integer(Int64(Self.thawAttempts))])
            // The next renewal finds it gone, and ends everything under it.
            try? await store.etcd.revoke(held.lease.id)
        }
        return false
    }

    /// How often actors are tried to be let go on while renewals succeed: a twentieth of the lease apart, and each within the
    /// limits of a call to etcd and of an answer of the watchdog. Whoever holds on for longer keeps actors from everybody.
    private static let thawAttempts = 20

    /// Lets the actors go on that still belong here by what is read now, after the renewal: as long as the lease lives nobody
    /// else can take the presences away. Whatever else there is is killed.
    private func thaw(_ clock: LeaseClock, _ hold: LeaseHold) async -> Bool {
        let slots = slots.all
        do throws(StoreError) {
            let standings = try await store.standings(of: slots.map(\.ref))
            let activations = zip(slots, standings).compactMap { $0.activationToThaw($1) }
            // Self-tests are nobody's actors: they only have to come to their end.
            let selfTests = options.workers.map { ActivationID(pod: $0.pod, epoch: Epoch(0)) }
            guard await watchdog.thaw(activations + selfTests, hold) else {
                environment.log.warning("the actors stay frozen, will try again", ["node": .string(options.node)])
                return false
            }
            clock.thawed(hold)
            readiness.set(self.slots.all.count == options.workerCount)
            environment.log.info(
                "the lease was renewed after all", ["thawed": .integer(Int64(activations.count))])
            return true
        } catch {
            environment.log.warning(
                "cannot tell which actors still belong here, will try again", ["error": .text(error)])
            return false
        }
    }
}
