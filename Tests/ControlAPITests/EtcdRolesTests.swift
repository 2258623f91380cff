import ControlAPI
import ControlPlane
import Etcd
import Foundation
import GRPC
import LocalCluster
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// The roles that `scripts/etcd-roles` makes: everything works under them, and nothing else is allowed.
@Suite struct EtcdRolesTests {
    private let root = "/roles/"

    private func enableAuthentication(_ server: LocalEtcd) async throws {
        let logs = TemporaryDirectory()
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../scripts/etcd-roles")
            .path
        var environment = ProcessInfo.processInfo.environment
        environment["ETCDCTL_ENDPOINTS"] = server.endpoint
        // Twice: it may be run again.
        for _ in 0..<2 {
            try await Tool.run(
                "bash", [script, "--root", root, "default/pool", "default/other"], logs: logs.path,
                environment: environment)
        }
        let users = [
            ("root", ["root"]), ("api", ["ateapi"]), ("restore", ["ateapi", "ateapi-restore"]),
            ("node", ["atelet-default-pool"]),
        ]
        for (user, roles) in users {
            try await Tool.etcdctl(server.endpoint, ["user", "add", "\(user):secret"], logs: logs.path)
            // Etcd makes the role root itself in later versions.
            if user == "root" { try? await Tool.etcdctl(server.endpoint, ["role", "add", "root"], logs: logs.path) }
            for role in roles {
                try await Tool.etcdctl(server.endpoint, ["user", "grant-role", user, role], logs: logs.path)
            }
        }
        try await Tool.etcdctl(server.endpoint, ["auth", "enable"], logs: logs.path)
    }

    private func client(_ server: LocalEtcd, _ user: String) -> EtcdClient {
        var options = EtcdOptions()
        options.security.user = EtcdUser(name: user) { "secret" }
        return server.client(options)
    }

    private func store(_ etcd: EtcdClient) -> Store { Store(etcd: etcd, keys: Keys(root: root)) }

    @Test func theWholeSystemWorksUnderItsRoles() async throws {
        try await TestEtcd.withServer { server in
            try await enableAuthentication(server)
            let api = client(server, "api")
            var control = TestCluster.impatient
            control.snapshotRetention = .milliseconds(1)
            control.snapshotCollectionInterval = .milliseconds(50)
            control.compaction = Compaction(retention: .milliseconds(100)) { try await api.compact($0) }
            let cluster = try await TestCluster(
                store(client(server, "root")), options: control, controlEtcd: api, nodeEtcd: client(server, "node"))
            var options = ControlServiceOptions()
            options.allowsDebugClear = true
            try await APIHarness.run(on: cluster, workers: 1, options: options) { api in
                try await resources(api)
                try await lifeOfAnActor(api)
                try await deathOfANode(api)
                try await eventually("dropped snapshots are collected, and etcd is compacted") {
                    api.cluster.log.contains(.info, "compacted etcd")
                }
                _ = try await api.call(ControlMethods.debugClear, EmptyRequest())
                let left = try await api.call(ControlMethods.listActors, ListActorsRequest()).actors
                #expect(left.isEmpty)
            }
            let denied = cluster.log.lines.filter { line in
                line.fields.contains { $0.1.text().lowercased().contains("permission") }
            }
            #expect(denied.isEmpty)
        }
    }

    private func resources(_ api: APIHarness) async throws {
        _ = try await api.call(ControlMethods.createAtespace, AtespaceRequest(name: "team"))
        _ = try await api.call(ControlMethods.deleteAtespace, AtespaceRequest(name: "team"))
        var pool = api.fixture.pool
        pool.ref.name = "other"
        _ = try await api.call(ResourcesMethods.applyPool, PoolMessage(pool: pool))
        var template = api.fixture.template
        template.ref.name = "other"
        _ = try await api.call(ResourcesMethods.applyTemplate, TemplateMessage(template: template))
        let named = NamedRequest(namespace: "default", name: "other")
        _ = try await api.call(ResourcesMethods.deletePool, named)
        _ = try await api.call(ResourcesMethods.deleteTemplate, named)
    }

    private func lifeOfAnActor(_ api: APIHarness) async throws {
        let ref = api.actor("alice")
        let watch = try await api.channel.open(
            WatchMethods.actors, WatchActorsRequest(atespace: "default", afterRevision: 0), timeout: .seconds(20))
        _ = try await watch.next()
        _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
        #expect(try await watch.next()?.actors.map(\.ref) == [ref])
        _ = try await api.call(ControlMethods.updateActor, UpdateActorRequest(actor: ref, workerSelector: Selector()))
        for _ in 0..<2 {
            let resumed = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: ref)).actor
            #expect(resumed.status == .running)
            let paused = try await api.call(ControlMethods.pauseActor, PauseActorRequest(actor: ref)).actor
            #expect(paused.status == .paused)
            _ = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: ref))
            let suspended = try await api.call(ControlMethods.suspendActor, SuspendActorRequest(actor: ref)).actor
            #expect(suspended.status == .suspended && suspended.lastSnapshot != nil)
        }
        _ = try await api.call(ControlMethods.deleteActor, DeleteActorRequest(actor: ref))
    }

    private func deathOfANode(_ api: APIHarness) async throws {
        let ref = api.actor("bob")
        _ = try await api.call(ControlMethods.createActor, api.creation("bob"))
        _ = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: ref))
        api.cluster.stop(api.node)
        try await eventually("bob is released") {
            try await api.call(ControlMethods.getActor, GetActorRequest(actor: ref)).actor.status == .suspended
        }
        _ = try await api.cluster.addNode("second", workers: 1)
        let resumed = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: ref)).actor
        #expect(resumed.status == .running)
    }

    @Test func aRoleAllowsNothingElse() async throws {
        try await TestEtcd.withServer { server in
            try await enableAuthentication(server)
            let keys = Keys(root: root)
            let worker = WorkerRef(pool: PoolRef(namespace: "default", name: "pool"), pod: "node-0")
            let foreign = WorkerRef(pool: PoolRef(namespace: "default", name: "other"), pod: "node-0")
            let actor = ActorRef(atespace: "default", name: "alice")
            let (node, api) = (client(server, "node"), client(server, "api"))
            try await node.put(keys.live(worker), [1])
            try await api.put(keys.bound(worker), [1])
            try await client(server, "restore").put(keys.generation, [1])
            func isDenied(_ body: () async throws -> Void) async -> Bool {
                do {
                    try await body()
                    return false
                } catch {
                    return (error as? EtcdError)?.code == .permissionDenied
                }
            }
            // A node gives no worker to an actor and takes none away, and changes no actor, nor other pools' workers.
            for key in [
                keys.bound(worker), keys.bound(foreign), keys.live(foreign), keys.actor(actor), keys.operation(actor),
                keys.generation, keys.election, keys.atespace("default"), Key("elsewhere"),
            ] {
                #expect(await isDenied { try await node.put(key, [2]) }, "\(key)")
                #expect(await isDenied { _ = try await node.delete(.key(key)) }, "\(key)")
            }
            // Nor does it read what it does not need.
            for range in [keys.templates, keys.pools, keys.operations, keys.workers, .prefix(Key(root))] {
                #expect(await isDenied { _ = try await node.range(RangeRequest(range)) })
            }
            for key in [keys.live(worker), keys.generation, Key("elsewhere")] {
                #expect(await isDenied { try await api.put(key, [2]) }, "\(key)")
            }
            #expect(await isDenied { _ = try await api.range(.key("elsewhere")) })
        }
    }

    @Test func theStoreIsPutInOrderAfterARestoreUnderItsRole() async throws {
        try await TestEtcd.withServer { server in
            try await enableAuthentication(server)
            let fixture = try await StoreFixture(store(client(server, "api")))
            _ = try await fixture.createActor("alice")
            await #expect(throws: StoreError.self) {
                try await AfterRestore(store: store(client(server, "api")), environment: .test()).run()
            }
            let report = try await AfterRestore(store: store(client(server, "restore")), environment: .test()).run()
            #expect(report.actors == [.suspended: 1])
        }
    }
}
