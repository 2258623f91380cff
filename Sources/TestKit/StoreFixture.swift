package import Etcd
package import SubstrateModel
package import SubstrateStore

/// A store with a pool and a template in it, and shortcuts to bring actors and workers into any state without nodes.
package struct StoreFixture: Sendable {
    package let store: Store
    package let pool = WorkerPool(
        ref: PoolRef(namespace: "default", name: "pool"), labels: ["size": "small"], replicas: 0, sandboxClass: .process
    )
    package let template = ActorTemplate(
        ref: TemplateRef(namespace: "default", name: "template"),
        containers: [Container(name: "main", command: ["true"])], snapshotLocation: "file:///snapshots",
        onCommit: .data,
        sandboxClass: .process)

    /// Puts the pool, the template and the atespace `default` into the store.
    package init(_ store: Store) async throws {
        self.store = store
        _ = try await store.createAtespace(Atespace.defaultName, Atespace(uid: "atespace"))
        _ = try await store.putPool(pool, over: nil)
        _ = try await store.createTemplate(template)
    }

    /// Where actors are said to run.
    package let address = ActorAddress(ip: "127.0.0.1", port: 80)

    package func ref(_ name: String) -> ActorRef { ActorRef(atespace: Atespace.defaultName, name: name) }

    package func workerRef(_ name: String) -> WorkerRef { WorkerRef(pool: pool.ref, pod: name) }

    /// A registered worker with its lease.
    package struct Worker: Sendable {
        package var ref: WorkerRef
        package var presence: Stored<Presence>
        package var lease: LeaseID

        package init(ref: WorkerRef, presence: Stored<Presence>, lease: LeaseID) {
            self.ref = ref
            self.presence = presence
            self.lease = lease
        }
    }

    /// A lease that no test outlives.
    package func lease() async throws -> LeaseID { try await store.etcd.grantLease(timeToLive: .seconds(300)).id }

    package func register(_ name: String, lease: LeaseID? = nil, agent: String = "node") async throws -> Worker {
        let ref = workerRef(name)
        let held: LeaseID = if let lease { lease } else { try await self.lease() }
        let presence = Presence(
            uid: "uid-\(name)", node: "node", bootID: "boot", directoryID: "directory", agentAddress: agent,
            sandboxClass: .process)
        guard case .registered(let stored) = try await store.register(ref, presence, lease: held) else {
            throw DidNotHappen(description: "\(ref) is taken")
        }
        return Worker(ref: ref, presence: stored, lease: held)
    }

    package func createActor(_ name: String) async throws -> Stored<Actor> {
        let actor = Actor(uid: "uid-\(name)", template: template.ref)
        guard case .created(let stored) = try await store.createActor(ref(name), actor) else {
            throw DidNotHappen(description: "\(name) exists")
        }
        return stored
    }

    package func operation(_ kind: Operation.Kind) -> Operation {
        Operation(kind: kind, owner: "test", nonce: "\(UInt64.random(in: .min ... .max))")
    }

    /// Brings the actor from SUSPENDED to RESUMING.
    package func resuming(_ name: String, on worker: Worker) async throws -> Claim {
        let actor = try await current(name)
        return try await store.claim(
            ref(name), actor, worker: worker.ref, presence: worker.presence, operation: operation(.resume),
            lease: try await lease())
    }

    /// Brings the actor from SUSPENDED to RUNNING.
    @discardableResult
    package func running(_ name: String, on worker: Worker) async throws -> Stored<Actor> {
        try await store.confirmRunning(try await resuming(name, on: worker), at: address).actor
    }

    /// Brings the actor from RUNNING to SUSPENDING.
    package func suspending(_ name: String, on worker: Worker, nonce: String = "next") async throws -> Claim {
        let actor = try await current(name)
        guard let binding = try await store.binding(of: worker.ref) else {
            throw DidNotHappen(description: "\(worker.ref) is not bound")
        }
        return try await store.beginSuspend(
            ref(name), actor, worker: worker.ref, binding: binding,
            snapshot: SnapshotURI(location: template.snapshotLocation, actorUID: actor.value.uid, nonce: nonce),
            operation: operation(.suspend), lease: try await lease())
    }

    /// Brings the actor from RUNNING to SUSPENDED, with a new last snapshot.
    @discardableResult
    package func suspended(_ name: String, on worker: Worker, nonce: String = "next") async throws -> Stored<Actor> {
        let claim = try await suspending(name, on: worker, nonce: nonce)
        guard case .suspending(_, let snapshot) = claim.actor.value.state else {
            throw DidNotHappen(description: "\(name) is not suspending")
        }
        return try await store.finishSuspend(claim, snapshot: snapshot)
    }

    /// Brings the actor from RUNNING to PAUSING.
    package func pausing(_ name: String, on worker: Worker, nonce: String = "next") async throws -> Claim {
        let actor = try await current(name)
        guard let binding = try await store.binding(of: worker.ref),
            let snapshot = LocalSnapshotName(actorUID: actor.value.uid, nonce: nonce)
        else { throw DidNotHappen(description: "\(worker.ref) is bound") }
        let presence = worker.presence.value
        return try await store.beginPause(
            ref(name), actor, worker: worker.ref, binding: binding,
            snapshot: LocalSnapshot(name: snapshot, node: presence.node, directoryID: presence.directoryID),
            operation: operation(.pause), lease: try await lease())
    }

    /// Brings the actor from RUNNING to PAUSED, with a new local snapshot.
    @discardableResult
    package func paused(_ name: String, on worker: Worker, nonce: String = "next") async throws -> Stored<Actor> {
        let claim = try await pausing(name, on: worker, nonce: nonce)
        guard case .pausing(_, let snapshot) = claim.actor.value.state else {
            throw DidNotHappen(description: "\(name) is not pausing")
        }
        return try await store.finishPause(claim, snapshot: snapshot.name)
    }

    /// The actor as it is now.
    package func current(_ name: String) async throws -> Stored<Actor> {
        guard let actor = try await store.actor(ref(name)) else {
            throw DidNotHappen(description: "\(name) is not there")
        }
        return actor
    }

    /// The actor as it is now, with everything as before a resume that has failed but for its reason.
    package func currentButForItsFailure(_ name: String) async throws -> Actor {
        var actor = try await current(name).value
        actor.lastFailure = nil
        return actor
    }
}
