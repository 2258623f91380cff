import ControlPlane
import Etcd
import GRPC
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Reading an actor's output from nodes that fail.
@Suite struct OutputReaderTests {
    let fixture: StoreFixture

    init() async throws { fixture = try await StoreFixture(TestEtcd.store()) }

    /// What a node answers to one question for output.
    private enum Answer: Sendable {
        case refuses(StatusCode)
        /// Gives these lines, and then says nothing, ends, or fails.
        case gives([String], then: Ending)

        enum Ending: Sendable { case silence, end, failure }
    }

    /// A node that answers questions for output as it is told, and nothing else.
    private final class ScriptedNode: NodeAgents {
        let requests = Collected<NodeLogsRequest>()
        private let answers: Shared<[Answer]>

        init(_ answers: [Answer]) { self.answers = Shared(answers) }

        func logs(
            _ request: NodeLogsRequest, _ stay: Stay, at address: String
        ) async throws(NodeFailure) -> any ActorOutputStream {
            requests.append(request)
            let answer = answers.withLock { $0.isEmpty ? .gives([], then: .silence) : $0.removeFirst() }
            switch answer {
            case .refuses(let code): throw NodeFailure(status: Status(code: code, message: "refused"), receipt: nil)
            case .gives(let texts, let ending):
                let lines = texts.map {
                    LogLine(
                        timeMilliseconds: 0, source: .standardOutput, container: "main", text: Array($0.utf8),
                        workerPod: "w")
                }
                let position = LogPosition(epoch: stay.epoch, line: request.afterLine + Int64(lines.count))
                return Script(batches: Shared([LogLines(lines: lines, position: position)]), ending: ending)
            }
        }

        private struct Script: ActorOutputStream {
            let batches: Shared<[LogLines]>
            let ending: Answer.Ending

            func next() async throws(NodeFailure) -> LogLines? {
                if let batch = batches.withLock({ $0.popLast() }) { return batch }
                switch ending {
                case .end: return nil
                case .failure:
                    throw NodeFailure(status: Status(code: .unavailable, message: "cut off"), receipt: nil)
                case .silence:
                    try? await Task.sleep(for: .seconds(600))
                    return nil
                }
            }
        }

        private let never = NodeFailure(status: Status(code: .internal, message: "not asked for"), receipt: nil)

        func deleteSnapshot(_: DeleteSnapshotRequest, at _: String) async throws(NodeFailure) { throw never }
        func activity(_: ActivityRequest, at _: String) async throws(NodeFailure) -> ActivityResponse { throw never }
        func run(_: RunRequest, _: Fences, at _: String) async throws(NodeFailure) -> Receipt { throw never }
        func restore(_: RestoreRequest, _: Fences, at _: String) async throws(NodeFailure) -> Receipt { throw never }
        func checkpoint(_: CheckpointRequest, _: Fences, at _: String) async throws(NodeFailure) -> Receipt {
            throw never
        }
        func status(_: StatusRequest, _: Fences, at _: String) async throws(NodeFailure) -> Receipt { throw never }
        func stop(_: StopRequest, _: Fences, at _: String) async throws(NodeFailure) -> Receipt { throw never }
    }

    /// What has come to a reader: the actor's lines, and our remarks in brackets.
    private typealias Told = Collected<String>

    private func following(
        _ node: ScriptedNode, _ body: (Told, Shared<(any Error)?>) async throws -> Void
    ) async throws {
        let control = ControlPlane(store: fixture.store, nodes: node, environment: .test())
        let told = Told()
        let failure = Shared<(any Error)?>(nil)
        try await running(control.run) {
            try await eventually("the workers are listed") { control.inventory.isListed }
            try await running({
                do {
                    try await control.readOutput(of: fixture.ref("alice"), follow: true, tail: nil, after: nil) {
                        batch in
                        for line in batch.lines { told.append(String(decoding: line.text, as: UTF8.self)) }
                    }
                } catch {
                    failure.withLock { $0 = error }
                }
            }) { try await body(told, failure) }
        }
    }

    /// Alice running on a worker of her own lease.
    private func runAlice() async throws -> StoreFixture.Worker {
        _ = try await fixture.createActor("alice")
        let worker = try await fixture.register("w")
        try await fixture.running("alice", on: worker)
        return worker
    }

    private let lost =
        "[worker default/pool/w could not be read to the end: the last lines from there may be missing here]"

    @Test func aNodeThatIsNotReachedIsAskedAgainFromWhereItStopped() async throws {
        _ = try await runAlice()
        let node = ScriptedNode([
            .refuses(.unavailable), .gives(["1", "2"], then: .failure), .refuses(.failedPrecondition),
            .gives(["3"], then: .silence),
        ])
        try await following(node) { told, _ in
            try await eventually("all lines, once") { told.all == ["1", "2", "3"] }
            #expect(node.requests.all.map(\.afterLine) == [0, 0, 2, 2])
            #expect(node.requests.all.allSatisfy { $0.follow && $0.workerUID == "uid-w" })
        }
    }

    @Test func aNodeThatSaysNoMoreIsLeftWhenItsWorkerIsLost() async throws {
        let worker = try await runAlice()
        let node = ScriptedNode([.gives(["here"], then: .silence), .gives(["there"], then: .silence)])
        try await following(node) { told, _ in
            try await eventually("the first line") { told.all == ["here"] }
            try await fixture.store.etcd.revoke(worker.lease)
            try await eventually("it is said that something may be missing") { told.all == ["here", lost] }
            try await eventually("it is released") { try await fixture.current("alice").value.status == .suspended }
            try await fixture.running("alice", on: try await fixture.register("v"))
            try await eventually("the next worker is asked") { told.all == ["here", lost, "there"] }
            #expect(node.requests.all.map(\.workerUID) == ["uid-w", "uid-v"])
        }
    }

    @Test func aStayThatIsOverIsNotAskedForAgain() async throws {
        let worker = try await runAlice()
        let node = ScriptedNode([.gives(["1"], then: .end), .gives(["2"], then: .end)])
        try await following(node) { told, _ in
            try await eventually("the first stay") { told.all == ["1"] }
            // Two changes of the row of an actor whose stream has ended.
            try await fixture.suspended("alice", on: worker)
            try await fixture.running("alice", on: worker)
            try await eventually("the second stay") { told.all == ["1", "2"] }
            #expect(node.requests.all.count == 2)
        }
    }

    @Test func whatWasNotReadOfAStayIsToldWhenTheActorHasMovedOn() async throws {
        let worker = try await runAlice()
        let refusals = [Answer](repeating: .refuses(.unavailable), count: 2)
        let node = ScriptedNode([.gives(["1"], then: .failure)] + refusals + [.refuses(.notFound)])
        try await following(node) { told, _ in
            try await eventually("the output is not there any more") { told.all == ["1", lost] }
            try await fixture.suspended("alice", on: worker)
            #expect(node.requests.all.count == 4)
        }
    }

    @Test func asManyReadersAsMayBeIsSaidAtOnce() async throws {
        _ = try await runAlice()
        try await following(ScriptedNode([.refuses(.resourceExhausted)])) { told, failure in
            let error = try await eventualValue("it fails") { failure.current as? ControlError }
            guard case .noOutput(fixture.ref("alice"), _, let reason) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(reason.status.code == .resourceExhausted)
        }
    }

    @Test func whoWaitsForAnActorAsksEtcdForNothing() async throws {
        _ = try await fixture.createActor("alice")
        let etcd = InterceptedEtcd(fixture.store.etcd)
        let watches = Tally()
        etcd.beforeWatch { _, _ in watches.add() }
        let control = ControlPlane(
            store: Store(etcd: etcd, keys: fixture.store.keys), nodes: ScriptedNode([]), environment: .test())
        let begun = Tally()
        try await running({
            try await control.readOutput(of: fixture.ref("alice"), follow: true, tail: nil, after: nil) { _ in
                begun.add()
            }
        }) {
            try await eventually("it waits") { begun.count == 1 && watches.count == 1 }
            let reads = etcd.counts
            // Each change of the row costs a look, and nothing else does.
            for number in 1...3 {
                let actor = try await fixture.current("alice")
                _ = try await fixture.store.updateActor(fixture.ref("alice"), from: actor, to: actor.value)
                try await eventually("it has looked") { watches.count == 1 + number }
            }
            #expect(etcd.counts.ranges + etcd.counts.readTransactions - reads.ranges - reads.readTransactions == 3)
        }
    }
}
