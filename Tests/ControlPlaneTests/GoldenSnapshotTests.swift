import ControlPlane
import Etcd
import Foundation
import GRPC
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import Synchronization
import TestKit
import Testing

/// Templates get the golden snapshots that they want, whatever happens on the way (B30).
@Suite struct GoldenSnapshotTests {
    let cluster: TestCluster
    var fixture: StoreFixture { cluster.fixture }
    var control: ControlPlane { cluster.control }

    private static var options: ControlPlaneOptions {
        var options = TestCluster.impatient
        options.goldenCheckInterval = .milliseconds(20)
        options.goldenActorTime = .milliseconds(20)
        options.sweepInterval = .milliseconds(100)
        options.snapshotRetention = .seconds(3600)
        return options
    }

    init() async throws { cluster = try await Self.cluster(TestEtcd.store()) }

    private static func cluster(
        _ store: Store, _ options: ControlPlaneOptions = Self.options
    ) async throws -> TestCluster {
        try await TestCluster(store, options: options, wallClock: wallClock)
    }

    /// A second one, whose leader looks when something changes and then not for an hour.
    private func clusterThatLooksOnce() async throws -> TestCluster {
        var options = Self.options
        options.goldenCheckInterval = .seconds(3600)
        return try await Self.cluster(fixture.store, options)
    }

    /// The time that golden actors are given is told by it.
    private static let wallClock: @Sendable () -> Int64 = { Int64(Date.now.timeIntervalSince1970 * 1000) }

    private func declare(_ change: (inout ActorTemplate) -> Void = { _ in }) async throws -> TemplateRef {
        var template = fixture.template
        template.ref.name = "golden"
        template.golden = true
        change(&template)
        #expect(try await fixture.store.createTemplate(template))
        return template.ref
    }

    private func status(_ template: TemplateRef) async throws -> ActorTemplate.Status? {
        try await fixture.store.template(template)?.value.status
    }

    private func goldenActors() async throws -> [Actor] {
        try await fixture.store.listActors(in: Atespace.golden, after: nil, limit: 100).actors.map(\.actor.value)
    }

    private func dropped() async throws -> [SnapshotURI] {
        try await fixture.store.garbage(untilMilliseconds: .max / 2, behind: nil, limit: 100).dropped
            .map(\.value.snapshot)
    }

    private func becomes(
        _ phase: ActorTemplate.Status.Phase, _ template: TemplateRef
    ) async throws -> ActorTemplate.Status {
        try await eventualValue("the template is \(phase)") {
            let now = try await status(template)
            return now?.phase == phase ? now : nil
        }
    }

    /// The golden snapshot once there is one, with nothing left behind.
    private func becomesReady(_ template: TemplateRef) async throws -> SnapshotURI {
        let status = try await becomes(.ready, template)
        let snapshot = try #require(status.goldenSnapshot)
        #expect(status.takeGoldenSnapshotAtMilliseconds == nil && status.conditions.map(\.status) == ["True"])
        #expect(try await goldenActors().isEmpty)
        #expect(try await !dropped().contains(snapshot))
        return snapshot
    }

    /// A new actor of the template, and what it was started from.
    private func run(
        _ name: String, _ template: TemplateRef, on node: TestCluster.Node, boot: Bool = false
    ) async throws -> SnapshotURI? {
        _ = try await fixture.store.createActor(fixture.ref(name), Actor(uid: "uid-\(name)", template: template))
        return try await resume(name, on: node, boot: boot)
    }

    private func resume(_ name: String, on node: TestCluster.Node, boot: Bool = false) async throws -> SnapshotURI? {
        #expect(try await control.resumeActor(fixture.ref(name), boot: boot).value.status == .running)
        return try #require(node.runtime.origins.last)
    }

    @Test func newActorsStartFromTheSnapshotUnlessTheyAreBooted() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 4)
            let template = try await declare()
            let golden = try await becomesReady(template)
            #expect(node.runtime.origins == [nil] && node.runtime.running.isEmpty)
            try await eventually("this replica has seen it") {
                control.catalog.templatesWithoutGoldenSnapshot.isEmpty
            }
            #expect(try await run("alice", template, on: node) == golden)
            #expect(try await run("bob", template, on: node, boot: true) == nil)
            // What is an actor's own is never passed over.
            let own = try await control.suspendActor(fixture.ref("alice")).value.lastSnapshot
            #expect(own != golden)
            #expect(try await resume("alice", on: node, boot: true) == own)
            // Others start as before.
            _ = try await fixture.createActor("carol")
            #expect(try await resume("carol", on: node) == nil)
        }
    }

    @Test func anActorThatSaysWhenItIsReadyIsNotWaitedFor() async throws {
        var options = Self.options
        options.goldenActorTime = .seconds(3600)
        let cluster = try await Self.cluster(fixture.store, options)
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 1)
            let template = try await declare { template in
                template.containers[0].readiness = Container.Readiness(path: "/readyz", port: 80)
            }
            _ = try await becomesReady(template)
        }
    }

    /// The first leader's writes fail from the `count`th on, as if it had died there; then it goes.
    @Test(arguments: 1...11) func theNextLeaderGoesOnWhereTheFirstHasStopped(count: Int) async throws {
        let log = LogRecorder()
        let etcd = InterceptedEtcd(fixture.store.etcd)
        var environment = Environment.test(log: log.log)
        environment.wallClock = Self.wallClock
        let first = ControlPlane(
            store: Store(etcd: etcd, keys: fixture.store.keys), nodes: cluster.nodes, environment: environment,
            options: Self.options)
        let leading = Task { await first.run() }
        try await eventually("the first replica leads") { log.contains(.info, "leading") }
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            try await eventually("the first knows the worker") { first.inventory.row(fixture.workerRef("a-0")) != nil }
            let writes = Tally()
            etcd.beforeWrite { _ in
                writes.add()
                if writes.count < count { return }
                throw EtcdError(
                    code: .unavailable, operation: "any", endpoint: "test", text: "dead", outcome: .notApplied)
            }
            let template = try await declare()
            try await eventually("the first has come so far") { writes.count >= count }
            leading.cancel()
            await leading.value
            let golden = try await becomesReady(template)
            try await eventually("the worker is free") {
                control.inventory.row(fixture.workerRef("a-0"))?.isFree == true
            }
            #expect(node.runtime.running.isEmpty)
            #expect(try await run("alice", template, on: node) == golden)
        }
    }

    @Test func whenTheTemplateIsDeletedMeanwhileItsActorGoesToo() async throws {
        var options = Self.options
        options.goldenActorTime = .seconds(3600)
        let cluster = try await Self.cluster(fixture.store, options)
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            // Somebody else's, who may use the atespace.
            _ = try await fixture.store.createAtespace(Atespace.golden, Atespace(uid: "u"))
            let theirs = ActorRef(atespace: Atespace.golden, name: "theirs")
            _ = try await fixture.store.createActor(theirs, Actor(uid: "uid-theirs", template: fixture.template.ref))
            let template = try await declare()
            try await eventually("it waits") { try await status(template)?.phase == .waitGoldenActor }
            #expect(node.runtime.running.count == 1)
            let stored = try #require(try await fixture.store.template(template))
            #expect(try await fixture.store.deleteTemplate(stored))
            try await eventually("the golden actor is gone") { try await goldenActors().map(\.uid) == ["uid-theirs"] }
            try await eventually("the worker is free") {
                cluster.control.inventory.row(fixture.workerRef("a-0"))?.isFree == true
            }
            #expect(node.runtime.running.isEmpty)
            #expect(try await dropped().isEmpty)
        }
    }

    @Test func anActorOfSomebodyElseUnderTheNameIsLeftAlone() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            _ = try await fixture.store.createAtespace(Atespace.golden, Atespace(uid: "u"))
            let theirs = ActorRef(atespace: Atespace.golden, name: "theirs")
            _ = try await fixture.store.createActor(theirs, Actor(uid: "uid-theirs", template: fixture.template.ref))
            let before = try await fixture.store.actor(theirs)
            let template = try await declare { template in
                template.status.phase = .resumeGoldenActor
                template.status.goldenActorID = theirs.name
            }
            let status = try await becomes(.ready, template)
            #expect(status.goldenActorID != theirs.name && node.runtime.started.count == 1)
            #expect(try await fixture.store.actor(theirs) == before)
        }
    }

    @Test func theSnapshotGoesWithItsTemplateAndNotBefore() async throws {
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 1)
            let template = try await declare()
            let golden = try await becomesReady(template)
            #expect(try await dropped().isEmpty)
            let stored = try #require(try await fixture.store.template(template))
            #expect(try await fixture.store.deleteTemplate(stored))
            #expect(try await dropped() == [golden])
        }
    }

    /// How long templates have been left alone after failures, in order.
    private var pauses: [String] {
        cluster.log.lines.filter { $0.message.hasPrefix("could not take a golden snapshot") }
            .compactMap { $0.fields.first { $0.0 == "not before" }?.1.text() }
    }

    @Test func whileEtcdDoesNotAnswerThePauseDoesNotGrow() async throws {
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 1)
            cluster.etcd.beforeWrite { _ in
                throw EtcdError(
                    code: .unavailable, operation: "any", endpoint: "test", text: "down", outcome: .notApplied)
            }
            let template = try await declare()
            try await eventually("it has been tried again and again") { pauses.count >= 4 }
            #expect(pauses.allSatisfy { $0 == "\"0.02 seconds\"" })
            cluster.etcd.beforeWrite(nil)
            _ = try await becomesReady(template)
        }
    }

    @Test func aTemplateThatIsCreatedAnewDoesNotWaitForTheFailureOfTheOldOne() async throws {
        let cluster = try await clusterThatLooksOnce()
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            node.runtime.failStarts(with: RuntimeFailure(.failedPrecondition, "the program is not there"))
            let template = try await declare()
            try await eventually("it is left alone") {
                cluster.log.contains(.warning, "could not take a golden snapshot")
            }
            node.runtime.failStarts(with: nil)
            // Both changes are seen at once, as after an interruption of the watch.
            let key = fixture.store.keys.template(template)
            cluster.etcd.deliver { event in if case .delete(key, _, _) = event { false } else { true } }
            let stored = try #require(try await fixture.store.template(template))
            #expect(try await fixture.store.deleteTemplate(stored))
            _ = try await declare()
            _ = try await becomes(.ready, template)
        }
    }

    @Test func whyThereIsNoneIsSaidOnTheTemplateUntilItWorks() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            node.runtime.failStarts(with: RuntimeFailure(.failedPrecondition, "the program is not there"))
            let template = try await declare()
            let failed = try await becomes(.failed, template)
            let condition = try #require(failed.conditions.first)
            #expect(condition.type == "GoldenSnapshot" && condition.status == "False")
            #expect(condition.reason == "ResumeFailed" && condition.message.contains("the program is not there"))
            try await eventually("it is tried again") {
                pauses.starts(with: ["\"0.02 seconds\"", "\"0.04 seconds\"", "\"0.08 seconds\""])
            }
            #expect(try await goldenActors().count == 1)
            node.runtime.failStarts(with: nil)
            node.runtime.failCheckpoints(with: RuntimeFailure(.internal, "the disk is full"))
            try await eventually("the snapshot fails") {
                try await status(template)?.conditions.first?.reason == "SuspendFailed"
            }
            node.runtime.failCheckpoints(with: nil)
            _ = try await becomesReady(template)
        }
    }

    @Test func anActorWhoseSnapshotFailsHoldsNoWorkerBetweenTwoAttempts() async throws {
        let cluster = try await clusterThatLooksOnce()
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            node.runtime.failCheckpoints(with: RuntimeFailure(.internal, "the disk is full"))
            let template = try await declare()
            let failed = try await becomes(.failed, template)
            #expect(failed.conditions.map(\.reason) == ["SuspendFailed"])
            try await eventually("the worker is free") {
                cluster.control.inventory.row(fixture.workerRef("a-0"))?.isFree == true
            }
            #expect(try await fixture.store.listWorkers().bound.isEmpty && node.runtime.running.isEmpty)
            #expect(try await goldenActors().map(\.status) == [.suspended] && node.runtime.started.count == 1)
        }
    }

    @Test func aPausedActorGoesWithItsTemplateToo() async throws {
        var options = Self.options
        options.goldenActorTime = .seconds(3600)
        // Nobody resumes it before the template is gone.
        options.goldenCheckInterval = .seconds(3600)
        let cluster = try await Self.cluster(fixture.store, options)
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 1)
            let template = try await declare()
            let status = try await becomes(.waitGoldenActor, template)
            let ref = ActorRef(atespace: Atespace.golden, name: status.goldenActorID)
            #expect(try await cluster.control.pauseActor(ref).value.status == .paused)
            let stored = try #require(try await fixture.store.template(template))
            #expect(try await fixture.store.deleteTemplate(stored))
            try await eventually("the golden actor is gone") { try await goldenActors().isEmpty }
        }
    }

    @Test func aNodeThatHangsKeepsNoOtherGoldenActorFromBeingRemoved() async throws {
        var options = Self.options
        options.goldenActorTime = .seconds(3600)
        let cluster = try await Self.cluster(fixture.store, options)
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 3)
            let templates = try await [
                declare(), declare { $0.ref.name = "second" }, declare { $0.ref.name = "third" },
            ]
            for template in templates { _ = try await becomes(.waitGoldenActor, template) }
            let (isFirst, gate) = (Once(), Gate())
            cluster.nodes.beforeCall { (call, _) throws(NodeFailure) in
                if call == "stop", isFirst.isFirst() { await gate.pass() }
            }
            for template in templates {
                let stored = try #require(try await fixture.store.template(template))
                #expect(try await fixture.store.deleteTemplate(stored))
            }
            try await eventually("only the one that hangs is there") { try await goldenActors().count == 1 }
            try await gate.waitForArrival()
            gate.open()
            try await eventually("it goes too") { try await goldenActors().isEmpty }
        }
    }

    /// Marks the worker until it has no actor any more.
    private func drain(_ worker: String) async throws {
        try await fixture.store.drain(
            .worker(fixture.workerRef(worker)), DrainOrder(graceMilliseconds: 3_600_000, orderedAtMilliseconds: 1))
    }

    /// The time that golden actors are given is told by it when a test moves it on.
    private final class MovedTime: Sendable {
        private let now = Mutex<Int64>(1_700_000_000_000)

        func moveOn(_ duration: Duration) { now.withLock { $0 += Int64(duration / .milliseconds(1)) } }
        func callAsFunction() -> Int64 { now.withLock { $0 } }
    }

    @Test func theSnapshotOfADrainBeforeItsTimeIsNotTheGoldenOneWhenThatTimeHasPassed() async throws {
        let time = MovedTime()
        var options = Self.options
        options.goldenActorTime = .seconds(20)
        let cluster = try await TestCluster(fixture.store, options: options, wallClock: { time() })
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let template = try await declare()
            _ = try await becomes(.waitGoldenActor, template)
            try await drain("a-0")
            let early = try await eventualValue("the drain has suspended it") {
                try await goldenActors().first { $0.state == .suspended }?.lastSnapshot
            }
            time.moveOn(.seconds(60))
            let other = try await cluster.addNode("b", workers: 1)
            let again = try await eventualValue("it has its time before it again") {
                let due = try await status(template)?.takeGoldenSnapshotAtMilliseconds
                return try await goldenActors().first?.status == .running ? due : nil
            }
            #expect(again == time() + 20_000)
            time.moveOn(.seconds(20))
            let golden = try await becomesReady(template)
            #expect(golden != early && node.runtime.started.count == 1 && other.runtime.origins == [early])
        }
    }

    @Test func anActorThatWasResumedElsewhereAtOnceHasItsTimeBeforeItAnew() async throws {
        let time = MovedTime()
        var options = Self.options
        options.goldenActorTime = .seconds(20)
        // Nobody looks in between.
        options.goldenCheckInterval = .seconds(1)
        let cluster = try await TestCluster(fixture.store, options: options, wallClock: { time() })
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let other = try await cluster.addNode("b", workers: 1)
            let template = try await declare { $0.onWorkerLoss = .resume }
            let first = try await becomes(.waitGoldenActor, template)
            let (lost, left) = node.runtime.running.isEmpty ? (other, node) : (node, other)
            time.moveOn(.seconds(15))
            cluster.stop(lost)
            try await eventually("it is resumed elsewhere") { left.runtime.started.count == 1 }
            time.moveOn(.seconds(10))
            let due = try await eventualValue("the reconciler has seen it") {
                let now = try await status(template)
                try #require(now?.goldenSnapshot == nil && now?.goldenSnapshotInProgress == nil)
                return now?.goldenStay == first.goldenStay ? nil : now?.takeGoldenSnapshotAtMilliseconds
            }
            #expect(due > time())
            time.moveOn(.seconds(20))
            _ = try await becomesReady(template)
            #expect(left.runtime.started.count == 1)
        }
    }

    @Test func anActorWhoseWorkerIsLostIsStartedElsewhere() async throws {
        var options = Self.options
        options.goldenActorTime = .milliseconds(500)
        let cluster = try await Self.cluster(fixture.store, options)
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            // Nobody else would resume it.
            let template = try await declare { $0.onWorkerLoss = .hold }
            try await eventually("it waits") { try await status(template)?.phase == .waitGoldenActor }
            cluster.stop(node)
            let other = try await cluster.addNode("b", workers: 1)
            _ = try await becomesReady(template)
            #expect(other.runtime.started.count == 1)
        }
    }
}
