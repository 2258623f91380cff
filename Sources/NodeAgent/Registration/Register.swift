internal import Etcd
internal import ServiceKit
package import SubstrateModel
internal import SubstrateStore

/// Another agent holds the name of one of our workers.
package struct RegistrationError: Error, CustomStringConvertible {
    package let worker: WorkerRef
    package let holder: Presence

    package var description: String {
        "worker \(worker) is held by another agent, on node \(holder.node) at \(holder.agentAddress): its actor may still "
            + "run. Stop that agent, or give this one another --node-name"
    }
}

extension NodeAgent {
    /// Puts the presence under a name that is free.
    ///
    /// One left by this directory since this boot is our own from before: its sandboxes are dead, so its lease is revoked.
    /// Another's may have a living actor, so it has to go away by itself.
    /// - Throws: `RegistrationError`, `StoreError.sessionLost` when the lease is gone, `CancellationError`.
    func register(_ ref: WorkerRef, _ presence: Presence, _ lease: LeaseID) async throws -> Stored<Presence> {
        let waited = environment.clock.stopwatch()
        var backoff = Backoff(from: .milliseconds(50), to: .milliseconds(500))
        while true {
            do {
                switch try await store.register(ref, presence, lease: lease) {
                case .registered(let stored): return stored
                case .taken(let holder, let holdersLease):
                    // An earlier attempt of which nobody knew what became.
                    if holder.value.uid == presence.uid, holdersLease == lease { return holder }
                    let isOurs = isOurs(holder)
                    if isOurs, let holdersLease, holdersLease != lease {
                        try await revoke(holdersLease)
                    } else if isOurs {
                        try await store.withdraw(ref, holder.incarnation)
                    } else if waited.elapsed() > options.takeoverLimit {
                        throw RegistrationError(worker: ref, holder: holder.value)
                    }
                }
            } catch let error as StoreError {
                if error == .sessionLost { throw error }
                environment.log.warning(
                    "cannot register a worker, will try again", ["worker": .text(ref), "error": .text(error)])
            }
            try await environment.clock.sleep(for: environment.chance.jittered(backoff.pause()))
        }
    }

    /// Whether it is of this directory and this boot: of this agent or one before it, whose sandboxes are dead.
    private func isOurs(_ presence: Stored<Presence>) -> Bool {
        presence.value.bootID == bootID && presence.value.directoryID == directoryID
    }

    /// Withdraws what is registered under the name of a worker that this agent does not offer now: a registration that was given
    /// up may have landed late, and whoever is sent there is answered by nobody.
    func withdrawLeftover(_ ref: WorkerRef) async {
        do throws(StoreError) {
            guard let found = try await store.presence(of: ref), isOurs(found) else { return }
            try await store.withdraw(ref, found.incarnation)
        } catch {
            // The next self-test is followed by another look.
            environment.log.warning(
                "cannot see whether a worker is registered", ["worker": .text(ref), "error": .text(error)])
        }
    }

    /// Takes a worker's presence away, upon which its actor is released.
    /// - Throws: `CancellationError`.
    func withdraw(_ ref: WorkerRef, _ incarnation: Incarnation) async throws {
        var backoff = Backoff(from: .milliseconds(50), to: .milliseconds(500))
        while true {
            do throws(StoreError) {
                return try await store.withdraw(ref, incarnation)
            } catch {
                environment.log.warning(
                    "cannot withdraw a worker, will try again", ["worker": .text(ref), "error": .text(error)])
            }
            try await environment.clock.sleep(for: environment.chance.jittered(backoff.pause()))
        }
    }

    private func revoke(_ lease: LeaseID) async throws(StoreError) {
        do { try await store.etcd.revoke(lease) } catch { throw .etcd(error) }
    }
}
