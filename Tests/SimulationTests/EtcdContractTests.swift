import Etcd
import LocalCluster
import Simulation
import TestKit
import Testing

/// The model of etcd against etcd itself: the same program on both, answer by answer.
@Suite struct EtcdContractTests {
    /// Both begin empty, so that even their revisions are the same.
    private func withBoth(_ body: (_ model: ModelStore, _ real: EtcdClient) async throws -> Void) async throws {
        try await TestEtcd.withServer { server in try await body(ModelStore(), server.client()) }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func aRandomProgramGetsTheSameAnswers(seed: UInt64) async throws {
        try await withBoth { model, real in
            var program = ContractProgram(seed: seed)
            var (mine, theirs) = (ContractRun(model, compact: model.compact), ContractRun(real, compact: real.compact))
            for number in 0..<400 {
                let call = program.next()
                let expected = await theirs.perform(call)
                let actual = await mine.perform(call)
                try #require(actual == expected, "call \(number) of seed \(seed): \(call)")
            }
        }
    }

    @Test(arguments: 11...13 as ClosedRange<UInt64>)
    func theHistoryIsTheSame(seed: UInt64) async throws {
        try await withBoth { model, real in
            var program = ContractProgram(seed: seed)
            program.compacts = false
            var (mine, theirs) = (ContractRun(model, compact: model.compact), ContractRun(real, compact: real.compact))
            for _ in 0..<200 {
                let call = program.next()
                _ = await theirs.perform(call)
                _ = await mine.perform(call)
            }
            let last = try await real.range(.key("end")).revision
            for request in ContractProgram.watches(upTo: last) {
                let expected = try await theirs.history(request)
                #expect(try await mine.history(request) == expected, "\(request)")
                #expect(!expected.isEmpty, "a watch that shows nothing proves nothing: \(request)")
            }
        }
    }

    @Test func aLeaseTakesItsKeysInOneRevision() async throws {
        try await withBoth { model, real in
            for store in [model as any EtcdStore, real] {
                let lease = try await store.grantLease(timeToLive: .seconds(60))
                for key in ["a", "b", "c"] as [Key] {
                    _ = try await store.transaction(Transaction().then(.put(key, [1], lease: lease.id)))
                }
                // One that is put without the lease stays.
                _ = try await store.transaction(Transaction().then(.put("b", [2])))
                try await store.revoke(lease.id)
                let left = try await store.range(RangeRequest(.prefix("")))
                #expect(left.pairs.map(\.key) == ["b"])
                #expect(left.revision == 6)
                await #expect(throws: EtcdError.self) { try await store.keepAlive(lease.id, within: .seconds(5)) }
                try await store.revoke(lease.id)
            }
        }
    }

    @Test func aWatchFromACompactedRevisionSaysSo() async throws {
        try await withBoth { model, real in
            for (store, compact) in [(model as any EtcdStore, model.compact), (real, real.compact)] {
                for number in 0..<5 as Range<UInt8> {
                    _ = try await store.transaction(Transaction().then(.put("a", [number])))
                }
                try await compact(4)
                var batches = store.watch(.key("a"), from: 2).makeAsyncIterator()
                #expect(try await batches.next() == .compacted(oldestRevision: 4))
                // The revision itself is still there.
                var whole = store.watch(.key("a"), from: 4).makeAsyncIterator()
                guard case .events(let events) = try await whole.next() else {
                    Issue.record("the history from the compacted revision on is gone")
                    return
                }
                #expect(events.map(\.revision) == [4, 5, 6])
            }
        }
    }

    @Test func aWatchThatIsUpToDateIsNotConcernedByACompaction() async throws {
        let model = ModelStore()
        for _ in 0..<3 { _ = try await model.transaction(Transaction().then(.put("a", [1]))) }
        var batches = model.watch(.key("b"), from: 1).makeAsyncIterator()
        async let first = batches.next()
        // The watch has to have looked before the history goes.
        try await eventually("the watch waits") { model.waits > 0 }
        try await model.compact(4)
        _ = try await model.transaction(Transaction().then(.put("b", [7])))
        guard case .events(let events) = try await first else {
            Issue.record("the watch ended")
            return
        }
        #expect(events.map(\.key) == ["b"])
    }
}
