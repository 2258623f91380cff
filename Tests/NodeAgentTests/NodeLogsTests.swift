import GRPC
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

@testable import NodeAgent

/// `substrate.Node/Logs` over real gRPC.
extension NodeServiceTests {
    private func open(
        _ channel: Channel, _ slot: WorkerSlot, _ stay: Stay, follow: Bool, tail: Int? = nil, afterLine: Int64 = 0
    ) async throws(RPCError) -> ResponseStream<LogLines> {
        try await channel.open(
            NodeMethods.logs,
            NodeLogsRequest(
                workerUID: slot.presence.value.uid, follow: follow, tail: tail, afterLine: afterLine),
            metadata: stay.metadata, timeout: .seconds(60))
    }

    private func started(_ channel: Channel, _ slot: WorkerSlot) async throws -> Claim {
        let claim = try await claim(slot)
        _ = try await channel.call(
            NodeMethods.run, run(slot), metadata: claim.fences.metadata, timeout: .seconds(20))
        return claim
    }

    private func lines(_ stream: ResponseStream<LogLines>) async throws -> [String] {
        var texts: [String] = []
        for try await batch in stream { texts += batch.lines.map { String(decoding: $0.text, as: UTF8.self) } }
        return texts
    }

    @Test func theStreamOfOutputEndsWithTheEpochAndItsLastLine() async throws {
        try await serve { channel, slot in
            let claim = try await started(channel, slot)
            let epoch = claim.binding.epoch
            runtime.say("one", epoch)
            let stream = try await open(channel, slot, claim.fences.stay, follow: true)
            var iterator = stream.makeAsyncIterator()
            let first = try await iterator.next()
            #expect(first?.lines.map(\.text) == [Array("one".utf8)])
            #expect(first?.lines.first?.workerPod == slot.ref.pod && first?.lines.first?.container == "main")
            #expect(first?.position == LogPosition(epoch: epoch, line: 1))
            runtime.say("last words", epoch)
            _ = try await channel.call(
                NodeMethods.stop, StopRequest(workerUID: slot.presence.value.uid), metadata: claim.fences.metadata,
                timeout: .seconds(20))
            #expect(try await lines(stream) == ["last words"])
            // What a stopped actor has written stays until the next one starts.
            let again = try await open(channel, slot, claim.fences.stay, follow: true)
            #expect(try await lines(again) == ["one", "last words"])
        }
    }

    @Test func askingForOutputMovesNoFence() async throws {
        try await serve { channel, slot in
            let claim = try await claim(slot)
            let early = await #expect(throws: RPCError.self) {
                try await lines(try await open(channel, slot, claim.fences.stay, follow: true))
            }
            #expect(early?.code == .notFound)
            // The same call as if nobody had asked.
            let receipt = try await channel.call(
                NodeMethods.run, run(slot), metadata: claim.fences.metadata, timeout: .seconds(20)
            ).receipt
            #expect(receipt.state == .running)
        }
    }

    @Test func outputIsGivenToNobodyWhoNamesAnotherStay() async throws {
        try await serve { channel, slot in
            let claim = try await started(channel, slot)
            let stay = claim.fences.stay
            func failure(_ stay: Stay, afterLine: Int64 = 0) async -> StatusCode? {
                do {
                    _ = try await lines(
                        try await open(channel, slot, stay, follow: false, afterLine: afterLine))
                    return nil
                } catch { return (error as? RPCError)?.code }
            }
            var other = stay
            other.incarnation = Incarnation(stay.incarnation.revision + 1)
            #expect(await failure(other) == .failedPrecondition)
            other = stay
            other.epoch = Epoch(stay.epoch.revision + 1)
            #expect(await failure(other) == .notFound)
            #expect(await failure(Stay(incarnation: stay.incarnation, epoch: Epoch(0))) == .invalidArgument)
            #expect(await failure(stay, afterLine: -1) == .invalidArgument)
            #expect(await failure(stay) == nil)
        }
    }

    @Test func thereAreOnlySoManyReadersOfAWorkerAndThoseWhoLeaveMakeRoom() async throws {
        try await serve { channel, slot in
            let claim = try await started(channel, slot)
            var streams: [ResponseStream<LogLines>] = []
            for _ in 0..<ReaderLimit.perWorker {
                let stream = try await open(channel, slot, claim.fences.stay, follow: true)
                _ = try await stream.next()
                streams.append(stream)
            }
            let refused = await #expect(throws: RPCError.self) {
                try await lines(try await open(channel, slot, claim.fences.stay, follow: false))
            }
            #expect(refused?.code == .resourceExhausted)
            streams = []
            try await eventually("they have left") {
                (try? await lines(try await open(channel, slot, claim.fences.stay, follow: false))) != nil
            }
        }
    }

    @Test(.timeLimit(.minutes(1))) func aClientThatDoesNotReadHoldsNoActorBack() async throws {
        try await serve { channel, slot in
            let claim = try await started(channel, slot)
            let epoch = claim.binding.epoch
            let stream = try await open(channel, slot, claim.fences.stay, follow: true)
            var iterator = stream.makeAsyncIterator()
            _ = try await iterator.next()
            // Far more than the transport and the node together hold.
            let text = String(repeating: "x", count: 1000)
            for _ in 0..<20_000 { runtime.say(text, epoch) }
            runtime.die(epoch)
            var missed = 0
            var came = 0
            while let batch = try await iterator.next() {
                for line in batch.lines {
                    if line.source == .notice {
                        let words = String(decoding: line.text, as: UTF8.self)
                        missed += try #require(Int(words.dropFirst().prefix { $0.isNumber }))
                    } else {
                        came += 1
                    }
                }
            }
            #expect(missed > 0 && came + missed == 20_000)
        }
    }

    @Test func readersThatGoAwayLeaveNothingBehind() async throws {
        try await serve { channel, slot in
            let claim = try await started(channel, slot)
            let output = try slot.output(claim.fences.stay)
            // What stays for the life of the process is there after the first.
            _ = try await open(channel, slot, claim.fences.stay, follow: true).next()
            try await eventually("the first has left") { output.readerCount == 0 }
            let calls = CallCensus.liveCalls
            let before = try ProcessCensus.now()
            for _ in 0..<20 {
                try await withThrowingTaskGroup { group in
                    for number in 0..<10 {
                        group.addTask {
                            let stream = try await open(channel, slot, claim.fences.stay, follow: true)
                            _ = try await stream.next()
                            // Half let go, half are cancelled while they wait.
                            if number % 2 == 0 { return }
                            _ = try? await withThrowingTaskGroup { waiting in
                                waiting.addTask { _ = try await stream.next() }
                                waiting.cancelAll()
                                try await waiting.waitForAll()
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                try await eventually("this round has left") { output.readerCount == 0 }
            }
            try await eventually("no call is left") { CallCensus.liveCalls <= calls }
            try await eventually("no descriptor is left") {
                try ProcessCensus.now().descriptors <= before.descriptors + 2
            }
        }
    }
}
