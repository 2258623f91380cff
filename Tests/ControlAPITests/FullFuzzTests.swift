import Foundation
import GRPC
import TestKit
import Testing

/// Requests that nobody should send, over real gRPC against real etcd: every one is answered with a status in time, and
/// nothing of them stays. `FUZZ_SEED` repeats a run.
@Suite(.serialized) struct FuzzTests {
    @Test func everyMutatedRequestIsAnswered() async throws {
        try await Fuzzing.run(requests: 5_000, perCluster: 5_000)
    }
}

/// A million of them.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["SUBSTRATE_FULL_TESTS"] != nil))
struct FullFuzzTests {
    @Test func aMillionMutatedRequestsAreAnsweredAndNothingOfThemStays() async throws {
        try await Fuzzing.run(requests: 1_000_000, perCluster: 50_000)
    }
}

private enum Fuzzing {
    private static let lanes = 64
    /// What allocators keep varies; a leak of 100 bytes per request would be above it.
    private static let maximumGrowthBytes = 96 << 20

    /// - Parameter perCluster: after so many requests comes a new cluster, so that what they have created stays little.
    static func run(requests: Int, perCluster: Int) async throws {
        let seed = ProcessInfo.processInfo.environment["FUZZ_SEED"].flatMap { UInt64($0) } ?? .random(in: .min ... .max)
        let callsBefore = CallCensus.liveCalls
        let start = ContinuousClock.now
        let turnedAway = Tally()
        let rounds = requests / perCluster
        var warm = 0
        for round in 0..<rounds {
            try await APIHarness.run { api in
                await flood(api, perCluster, seed: seed &+ UInt64(round * lanes), turnedAway)
                let workers = try await api.call("/ateapi.Control/ListWorkers", [])
                #expect(!workers.isEmpty, "it still works, seed \(seed)")
            }
            if round == rounds / 4 { warm = try ProcessCensus.residentBytes() }
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        print("fuzz: seed \(seed), \(requests) requests, \(Int(Double(requests) / seconds)) per second")
        #expect(turnedAway.count <= requests / 100, "etcd is there, seed \(seed)")
        try await eventually("no live call is left, seed \(seed)") { CallCensus.liveCalls <= callsBefore }
        let growth = try ProcessCensus.residentBytes() - warm
        print("fuzz: the memory has grown by \(growth >> 10) KiB since the warm-up")
        if rounds > 1 { #expect(growth < maximumGrowthBytes, "seed \(seed)") }
    }

    private static func flood(_ api: APIHarness, _ requests: Int, seed: UInt64, _ turnedAway: Tally) async {
        await withTaskGroup(of: Void.self) { group in
            for lane in 0..<lanes {
                let share = requests / lanes + (lane < requests % lanes ? 1 : 0)
                group.addTask {
                    var mutator = RequestMutator(seed: seed &+ UInt64(lane))
                    for _ in 0..<share { await send(mutator.next(), api, turnedAway) }
                }
            }
        }
    }

    private static func send(_ request: RequestMutator.Request, _ api: APIHarness, _ turnedAway: Tally) async {
        do throws(RPCError) {
            _ = try await api.channel.unary(
                Method(request.path), Message(request.bytes), metadata: request.metadata, timeout: .seconds(20))
        } catch {
            // What the server has said itself carries the time it took, also that etcd does not answer on a busy machine.
            let isAnswered = error.status.metadata["x-server-elapsed-us"] != nil
            if error.code == .unavailable, isAnswered { return turnedAway.add() }
            // Not answered, by a server that is gone, or by a handler that let an error of its own out.
            let unanswered: [StatusCode] = [.deadlineExceeded, .unavailable, .unknown]
            if unanswered.contains(error.code) { Issue.record("\(error.status) for \(request)") }
        }
    }
}
