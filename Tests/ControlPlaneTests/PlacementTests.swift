import ControlPlane
import Etcd
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Which worker an actor may get.
@Suite struct PlacementTests {
    typealias Requirement = Selector.Requirement

    private static func pool(
        _ name: String, _ labels: [String: String] = [:], _ sandboxClass: SandboxClass = .process,
        namespace: String = "n"
    ) -> WorkerPool {
        WorkerPool(
            ref: PoolRef(namespace: namespace, name: name), labels: labels, replicas: 1, sandboxClass: sandboxClass)
    }

    private static let pools = [
        pool("c", ["size": "s", "zone": "a"]), pool("b", ["size": "s", "zone": "b"]),
        pool("a", ["size": "l", "zone": "a"]), pool("bare"),
        pool("g", ["size": "s", "zone": "a"], .gvisor), pool("a", ["size": "s"], namespace: "other"),
    ]

    private static func template(
        _ selector: Selector = Selector(), _ sandboxClass: SandboxClass = .process, pool: PoolRef? = nil
    ) -> ActorTemplate {
        var template = ActorTemplate(
            ref: TemplateRef(namespace: "n", name: "t"), containers: [], snapshotLocation: "", onCommit: .data,
            sandboxClass: sandboxClass, workerSelector: selector)
        template.workerPool = pool
        return template
    }

    private static func expressions(_ requirements: Requirement...) -> Selector {
        Selector(matchExpressions: requirements)
    }

    private static func actor(_ labels: [String: String] = [:]) -> Actor {
        Actor(
            uid: "u", template: TemplateRef(namespace: "n", name: "t"), workerSelector: Selector(matchLabels: labels))
    }

    @Test(arguments: [
        (template(), actor(), ["n/a", "n/b", "n/bare", "n/c", "other/a"]),
        (template(Selector(), .gvisor), actor(), ["n/g"]),
        (template(Selector(), .microvm), actor(), []),
        (template(Selector(matchLabels: ["size": "s"])), actor(), ["n/b", "n/c", "other/a"]),
        // An actor narrows what its template allows, and never widens it.
        (template(Selector(matchLabels: ["size": "s"])), actor(["zone": "a"]), ["n/c"]),
        (template(Selector(matchLabels: ["size": "s"])), actor(["size": "l"]), []),
        (
            template(expressions(Requirement(key: "zone", operator: .isIn, values: ["b", "c"]))), actor(), ["n/b"]
        ),
        (
            template(expressions(Requirement(key: "zone", operator: .notIn, values: ["b", "c"]))), actor(),
            ["n/a", "n/bare", "n/c", "other/a"]
        ),
        (template(expressions(Requirement(key: "zone", operator: .exists))), actor(["size": "s"]), ["n/b", "n/c"]),
        (template(expressions(Requirement(key: "zone", operator: .doesNotExist))), actor(), ["n/bare", "other/a"]),
        // The one pool that an older manifest names, if it has the class and the labels, too.
        (template(pool: PoolRef(namespace: "n", name: "a")), actor(), ["n/a"]),
        (template(pool: PoolRef(namespace: "n", name: "a")), actor(["size": "s"]), []),
        (template(pool: PoolRef(namespace: "n", name: "g")), actor(), []),
        (template(pool: PoolRef(namespace: "x", name: "a")), actor(), []),
    ])
    func eligible(template: ActorTemplate, actor: Actor, expected: [String]) {
        #expect(eligiblePools(Self.pools, template: template, actor: actor).map(\.description) == expected)
    }

    // MARK: Nodes

    private let pool = pool("p")
    private let chance = Chance(SeededGenerator(seed: 3))

    private func presence(on node: String, _ revision: Int64 = 1) -> Stored<Presence> {
        Stored(
            value: Presence(
                uid: "u", node: node, bootID: "b", directoryID: "d",
                agentAddress: "a", sandboxClass: .process), createRevision: revision, modRevision: revision, version: 1)
    }

    private func worker(_ pod: String) -> WorkerRef { WorkerRef(pool: pool.ref, pod: pod) }

    /// Two workers on each of three nodes.
    private func table() -> WorkerTable {
        var table = WorkerTable()
        for node in ["x", "y", "z"] {
            for index in 0...1 { table.put(presence(on: node), of: worker("\(node)\(index)")) }
        }
        return table
    }

    /// Reserves until nothing is left.
    private func drain(_ table: inout WorkerTable, on nodes: Set<String>?) -> [String] {
        var pods: [String] = []
        while let worker = table.reserve(WorkerDemand(pools: [pool.ref], nodes: nodes), chance) {
            pods.append(worker.ref.pod)
        }
        return pods.sorted()
    }

    @Test func withNodesNamedNoOtherWorkerIsTaken() {
        var table = table()
        let onTwo = drain(&table, on: ["x", "z", "nowhere"])
        #expect(onTwo == ["x0", "x1", "z0", "z1"])
        let onNone = drain(&table, on: [])
        #expect(onNone.isEmpty)
        #expect(table.freeCount(in: pool.ref) == 2)
        let rest = drain(&table, on: nil)
        #expect(rest == ["y0", "y1"])
        table.unreserve(worker("x1"))
        let again = drain(&table, on: ["x"])
        #expect(again == ["x1"])
    }

    @Test func aWorkerThatCameBackOnAnotherNodeIsFoundThere() {
        var table = WorkerTable()
        table.put(presence(on: "x"), of: worker("w"))
        table.put(presence(on: "y", 2), of: worker("w"))
        let onOld = drain(&table, on: ["x"])
        #expect(onOld.isEmpty)
        let onNew = drain(&table, on: ["y"])
        #expect(onNew == ["w"])
    }

    @Test func everyFreeWorkerOfTheNodesIsChosenAboutAsOften() {
        var table = table()
        var chosen: [String: Int] = [:]
        for _ in 0..<4000 {
            guard let worker = table.reserve(WorkerDemand(pools: [pool.ref], nodes: ["y", "z"]), chance)?.ref else {
                break
            }
            chosen[worker.pod, default: 0] += 1
            table.unreserve(worker)
        }
        #expect(chosen.count == 4 && chosen.values.allSatisfy { (850...1150).contains($0) }, "\(chosen)")
    }

    @Test func theChoiceSaysWhetherItIsThePoolsOrTheWorkersThatAreMissing() throws {
        let inventory = WorkerInventory(keys: Keys(root: "/"), environment: .test())
        inventory.take(presence: presence(on: "x"), binding: nil, of: worker("w"), at: 1)
        func find(_ template: ActorTemplate, on nodes: Set<String>?) throws -> WorkerRef {
            try inventory.findFreeWorker(
                pools: [pool], template: template, actor: Self.actor(), nodes: nodes, chance
            ).ref
        }
        let wrongClass = #expect(throws: ControlError.self) { try find(Self.template(Selector(), .gvisor), on: nil) }
        guard case .noEligiblePool = wrongClass else {
            Issue.record("expected noEligiblePool, got \(String(describing: wrongClass))")
            return
        }
        let wrongNode = #expect(throws: ControlError.self) { try find(Self.template(), on: ["y"]) }
        guard case .noFreeWorkers = wrongNode else {
            Issue.record("expected noFreeWorkers, got \(String(describing: wrongNode))")
            return
        }
        #expect(try find(Self.template(), on: ["x", "y"]) == worker("w"))
    }
}
