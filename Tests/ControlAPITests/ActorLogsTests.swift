import ControlPlane
import GRPC
import NodeAgent
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// `substrate.Watch/ActorLogs`: what an actor writes, wherever it runs.
@Suite struct ActorLogsTests {
    /// A client that follows, and what it has been told.
    private struct Follower: Sendable {
        let lines = Collected<LogLine>()
        let positions = Collected<LogPosition>()
        let end = Shared<Status?>(nil)

        var texts: [String] { lines.all.map { String(decoding: $0.text, as: UTF8.self) } }
    }

    private func open(
        _ api: APIHarness, _ name: String = "alice", follow: Bool, tail: Int? = nil, after: LogPosition? = nil
    ) async throws(RPCError) -> ResponseStream<LogLines> {
        try await api.channel.open(
            WatchMethods.actorLogs,
            ActorLogsRequest(actor: api.actor(name), follow: follow, tail: tail, after: after), timeout: .seconds(60))
    }

    /// Follows alice beside `body`, which begins when the stream has told where it stands.
    private func following(
        _ api: APIHarness, tail: Int? = nil, after: LogPosition? = nil, _ body: (Follower) async throws -> Void
    ) async throws {
        let follower = Follower()
        try await running({
            do throws(RPCError) {
                for try await batch in try await open(api, follow: true, tail: tail, after: after) {
                    for line in batch.lines { follower.lines.append(line) }
                    follower.positions.append(batch.position)
                }
                follower.end.withLock { $0 = Status(code: .ok, message: "") }
            } catch {
                follower.end.withLock { $0 = error.status }
            }
        }) {
            try await eventually("the stream has begun") { !follower.positions.all.isEmpty }
            try await body(follower)
        }
    }

    private func texts(_ stream: ResponseStream<LogLines>) async throws -> [String] {
        var texts: [String] = []
        for try await batch in stream { texts += batch.lines.map { String(decoding: $0.text, as: UTF8.self) } }
        return texts
    }

    /// How alice's output is refused to who does not follow.
    private func refusal(_ api: APIHarness) async -> Status? {
        do throws(RPCError) {
            _ = try await open(api, follow: false).next()
            return nil
        } catch {
            return error.status
        }
    }

    /// Puts alice on a worker and has her say something.
    private func resume(_ api: APIHarness, saying lines: String...) async throws {
        _ = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("alice")))
        for line in lines { api.node.runtime.say(line, try #require(api.node.runtime.running.last)) }
    }

    private func suspend(_ api: APIHarness) async throws {
        _ = try await api.call(ControlMethods.suspendActor, SuspendActorRequest(actor: api.actor("alice")))
    }

    private func withAlice(workers: Int = 2, _ body: @Sendable (APIHarness) async throws -> Void) async throws {
        try await APIHarness.run(workers: workers) { api in
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            try await body(api)
        }
    }

    @Test(arguments: [true, false]) func requestsAreCheckedAsEverywhere(_ follow: Bool) async throws {
        try await APIHarness.run { api in
            func status(_ request: ActorLogsRequest) async throws -> Status? {
                do throws(RPCError) {
                    let stream = try await api.channel.open(WatchMethods.actorLogs, request, timeout: .seconds(20))
                    _ = try await stream.next()
                    return nil
                } catch {
                    return error.status
                }
            }
            func request(_ name: String, _ atespace: String, _ after: LogPosition? = nil) -> ActorLogsRequest {
                ActorLogsRequest(actor: ActorRef(atespace: atespace, name: name), follow: follow, after: after)
            }
            let cases: [(ActorLogsRequest, StatusCode, String)] = [
                (request("", "default"), .invalidArgument, "id is required"),
                (request("alice", ""), .invalidArgument, "atespace is required"),
                (request("alice", "default"), .notFound, "Actor alice not found"),
                (request("../x", "default"), .notFound, "Actor ../x not found"),
                (
                    request("alice", "default", LogPosition(epoch: Epoch(-1), line: 0)), .invalidArgument,
                    "after_epoch cannot be negative"
                ),
                (
                    request("alice", "default", LogPosition(epoch: Epoch(1), line: -1)), .invalidArgument,
                    "after_position cannot be negative"
                ),
            ]
            for (request, code, message) in cases {
                let status = try await status(request)
                #expect(status?.code == code && status?.message == message, "\(request) \(String(describing: status))")
            }
        }
    }

    @Test func withoutFollowingItEndsAfterWhatIsKept() async throws {
        try await withAlice { api in
            try await resume(api, saying: "one", "two", "three")
            #expect(try await texts(try await open(api, follow: false)) == ["one", "two", "three"])
            #expect(try await texts(try await open(api, follow: false, tail: 2)) == ["two", "three"])
            #expect(try await texts(try await open(api, follow: false, tail: 0)) == [])
        }
    }

    @Test func anActorThatDoesNotRunHasNoOutputToShow() async throws {
        try await withAlice { api in
            let suspended = await refusal(api)
            #expect(suspended?.code == .failedPrecondition)
            #expect(suspended?.message == "Actor alice is not running (status: STATUS_SUSPENDED)")
            try await resume(api)
            _ = try await api.call(ControlMethods.pauseActor, PauseActorRequest(actor: api.actor("alice")))
            #expect(await refusal(api)?.message == "Actor alice is not running (status: STATUS_PAUSED)")
        }
    }

    @Test func whoFollowsSeesEveryStayFromItsFirstLineAndNoLineTwice() async throws {
        try await withAlice { api in
            try await resume(api, saying: "a1", "a2")
            try await following(api) { follower in
                try await eventually("the first lines") { follower.texts == ["a1", "a2"] }
                try await suspend(api)
                try await resume(api, saying: "b1")
                try await eventually("the second stay") { follower.texts == ["a1", "a2", "b1"] }
                // On another worker.
                try await suspend(api)
                _ = try await api.call(ControlMethods.createActor, api.creation("bob"))
                _ = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("bob")))
                try await resume(api, saying: "c1", "c2")
                try await eventually("the third stay") { follower.texts == ["a1", "a2", "b1", "c1", "c2"] }
                let epochs = follower.positions.all.map(\.epoch)
                #expect(epochs == epochs.sorted())
            }
        }
    }

    @Test func anActorThatIsAsleepIsWaitedForAndThenNothingIsLeftOut() async throws {
        try await withAlice { api in
            // Nothing of what was before; but what it says when it wakes is all new.
            try await following(api, tail: 0) { follower in
                #expect(follower.texts == [])
                try await resume(api, saying: "first words")
                try await eventually("it is heard") { follower.texts == ["first words"] }
            }
        }
    }

    @Test func anotherStreamGoesOnWhereOneHasEnded() async throws {
        try await withAlice { api in
            let asleep = Shared<LogPosition?>(nil)
            try await following(api) { follower in asleep.withLock { $0 = follower.positions.all.last } }
            try await resume(api, saying: "1", "2")
            let awake = Shared<LogPosition?>(nil)
            try await following(api, after: asleep.current) { follower in
                try await eventually("all since it slept") { follower.texts == ["1", "2"] }
                awake.withLock { $0 = follower.positions.all.last }
            }
            api.node.runtime.say("3", try #require(api.node.runtime.running.last))
            try await following(api, after: awake.current) { follower in
                try await eventually("only what is new") { follower.texts == ["3"] }
                try await suspend(api)
            }
            // The stay is over meanwhile.
            try await resume(api, saying: "4")
            try await following(api, after: awake.current) { follower in
                try await eventually("the next stay") { follower.texts == ["4"] }
            }
        }
    }

    @Test func whenItsNodeDiesTheActorIsFollowedToTheNextOne() async throws {
        try await withAlice(workers: 1) { api in
            try await resume(api, saying: "here")
            try await following(api) { follower in
                try await eventually("the first line") { follower.texts == ["here"] }
                let other = try await api.cluster.addNode("other", workers: 1)
                api.cluster.stop(api.node)
                let epoch = try await eventualValue("it runs on the other node") {
                    _ = try? await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("alice")))
                    return other.runtime.running.last
                }
                other.runtime.say("there", epoch)
                try await eventually("the other node's line") { follower.texts.last == "there" }
                #expect(follower.lines.all.filter { $0.source != .notice }.map(\.workerPod) == ["node-0", "other-0"])
            }
        }
    }

    @Test func theStreamEndsWhenTheActorIsDeleted() async throws {
        try await withAlice { api in
            try await resume(api, saying: "last")
            try await following(api) { follower in
                try await suspend(api)
                _ = try await api.call(ControlMethods.deleteActor, DeleteActorRequest(actor: api.actor("alice")))
                // Another of this name is somebody else.
                _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
                try await eventually("it ends") { follower.end.current != nil }
                #expect(follower.end.current?.code == .notFound)
                #expect(follower.end.current?.message == "Actor alice not found")
                #expect(follower.texts == ["last"])
            }
        }
    }

    @Test func followersThatGoAwayLeaveNothingBehind() async throws {
        try await withAlice { api in
            try await resume(api, saying: "hello")
            let ref = try #require(try await api.fixture.current("alice").value.state.assignment?.worker)
            let binding = try #require(try await api.fixture.store.binding(of: ref))
            let slot = try #require(api.node.slots.slot(of: ref))
            let output = try slot.output(Stay(incarnation: binding.value.incarnation, epoch: binding.epoch))
            try await following(api) { _ in }
            try await eventually("the first has left") { output.readerCount == 0 }
            let calls = CallCensus.liveCalls
            let before = try ProcessCensus.now()
            for _ in 0..<20 {
                try await withThrowingTaskGroup { group in
                    for _ in 0..<10 { group.addTask { try await following(api) { _ in } } }
                    try await group.waitForAll()
                }
            }
            try await eventually("no reader is left at the node") { output.readerCount == 0 }
            try await eventually("no call is left") { CallCensus.liveCalls <= calls }
            // Those that wait for an actor watch its key.
            try await suspend(api)
            for _ in 0..<20 {
                try await withThrowingTaskGroup { group in
                    for _ in 0..<10 { group.addTask { try await following(api) { _ in } } }
                    try await group.waitForAll()
                }
            }
            try await eventually("no call is left") { CallCensus.liveCalls <= calls }
            try await eventually("no descriptor is left") {
                try ProcessCensus.now().descriptors <= before.descriptors + 2
            }
        }
    }
}
