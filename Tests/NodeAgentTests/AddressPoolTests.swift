import Etcd
import Foundation
import GRPC
import ServiceKit
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// Which addresses are given when, on a clock that is moved by hand.
@Suite struct AddressPoolTests {
    private let clock = ManualClock()
    private let range: AddressRange

    init() throws { range = try #require(AddressRange(subnet: "127.9.8.0/28", port: 7)) }

    private func pool(_ indices: Range<Int> = 0..<4) -> AddressPool {
        AddressPool(range, indices, startingAt: indices.lowerBound, rest: .seconds(60), quarantine: nil)
    }

    private func take(_ pool: inout AddressPool, _ pod: String = "a-0") -> String? {
        pool.take(for: pod, now: clock.stopwatch())?.description
    }

    @Test func aRangeIsASubnetWithoutItsFirstAndLastAddress() throws {
        #expect(range.count == 14 && range[0] == ActorAddress(ip: "127.9.8.1", port: 7))
        #expect("\(range[13])" == "127.9.8.14:7" && "\(range)" == "127.9.8.0/28:7" && range.isLoopback)
        let large = try #require(AddressRange(subnet: "10.0.0.0/8", port: 80))
        #expect(large[large.count - 1].ip == "10.255.255.254" && large[255].ip == "10.0.1.0" && !large.isLoopback)
        for bad in [
            "127.1.0.0", "127.1.0.0/", "127.1.0.0/29", "127.1.0.0/7", "127.1.0.1/16", "127.1.0/16", "127.1.0.256/28",
            "127.1.0.0/16/16", "127.1.0.0/+16x", "::1/16", "", "/16", "-127.1.0.0/16",
        ] {
            #expect(AddressRange(subnet: bad, port: 80) == nil, "\(bad)")
        }
    }

    @Test func anAddressIsGivenToNoOtherForAsLongAsItRests() {
        var pool = pool()
        let all = (0..<4).map { _ in take(&pool) }
        #expect(Set(all.compactMap { $0 }).count == 4)
        // The last one is not at rest, since the worker had it until now.
        #expect(take(&pool) == nil)
        clock.advance(by: .seconds(59))
        #expect(take(&pool) == nil)
        clock.advance(by: .seconds(1))
        #expect(take(&pool) == all[0])
    }

    @Test func anAddressRestsFromTheNextStartOnItsWorkerOn() {
        var pool = pool(0..<2)
        let first = take(&pool, "a-0")
        clock.advance(by: .seconds(3600))
        #expect(take(&pool, "a-1") != first)
        // However long ago it was given.
        #expect(take(&pool, "a-1") == nil)
        clock.advance(by: .seconds(60))
        #expect(take(&pool, "a-1") == "127.9.8.2:7")
        #expect(take(&pool, "a-0") == nil)
        clock.advance(by: .seconds(60))
        #expect(take(&pool, "a-0") == first)
    }

    @Test func theOneThatHasRestedForLongestIsNext() {
        var pool = pool()
        let first = (0..<3).map { _ in take(&pool) }
        clock.advance(by: .seconds(600))
        #expect(!first.contains(take(&pool)))
        #expect(take(&pool) == first[0])
    }

    @Test func whatNobodyWasToldOfNeedsNoRest() throws {
        var pool = pool(0..<2)
        let first = pool.take(for: "a-0", now: clock.stopwatch())
        pool.giveBack(try #require(first), of: "a-0")
        let second = pool.take(for: "a-0", now: clock.stopwatch())
        #expect(second != first)
        // Only what this start had taken.
        pool.giveBack(try #require(first), of: "a-0")
        #expect(take(&pool, "a-1") == first?.description)
        pool.giveBack(try #require(second), of: "a-0")
        #expect(take(&pool) == second?.description)
    }

    @Test func whatIsLentIsGivenToNobodyUntilItIsGivenBack() throws {
        var pool = pool(0..<2)
        let loan = pool.lend()
        let lent = try #require(loan)
        #expect(take(&pool) != lent.address.description)
        #expect(take(&pool, "a-1") == nil && pool.lend() == nil)
        pool.giveBack(lent.index)
        #expect(take(&pool, "a-1") == lent.address.description)
    }
}

extension AddressPoolTests {
    private var twoHundred: AddressRange { get throws { try #require(AddressRange(subnet: "10.9.8.0/24", port: 80)) } }

    /// One run of an agent.
    private func run(_ notes: AddressNotes, _ range: AddressRange? = nil) async throws -> ActorAddresses {
        let addresses = ActorAddresses(try range ?? twoHundred, rest: .seconds(60), ledger: notes)
        try await addresses.begin(.test(clock: clock))
        return addresses
    }

    private func isExhausted(_ addresses: ActorAddresses) -> Bool {
        do throws(RuntimeFailure) {
            _ = try addresses.take(for: "b-0", clock)
            return false
        } catch {
            return error.code == .unavailable && error.mayLieInWorker
        }
    }

    @Test func noRunGivesAnAddressOfOneThatWasThereWithinTheTimeOfRest() async throws {
        let notes = AddressNotes()
        var given: [ActorAddress: Duration] = [:]
        let start = clock.now
        for _ in 0..<60 {
            clock.advance(by: .seconds(4))
            let addresses = try await run(notes)
            let now = start.duration(to: clock.now)
            for pod in ["a-0", "a-1", "a-2"] {
                // A run that finds all parts used waits, and is restarted before the time is over.
                guard let address = try? addresses.take(for: pod, clock) else { continue }
                let last = given.updateValue(now, forKey: address)
                #expect(
                    last.map { now - $0 >= .seconds(60) } ?? true, "\(address) at \(now), before at \(last ?? .zero)")
            }
        }
        #expect(given.count == ActorAddresses.parts * 3)
    }

    @Test func aRunThatHasLivedForAsLongAsAddressesRestLeavesAllOthersFree() async throws {
        let notes = AddressNotes()
        for _ in 0..<ActorAddresses.parts { _ = try await run(notes) }
        let last = try await run(notes)
        #expect(isExhausted(last))
        clock.advance(by: .seconds(59))
        await last.settle(.none)
        #expect(notes.now?.parts.count == ActorAddresses.parts && isExhausted(last))
        clock.advance(by: .seconds(1))
        await last.settle(.none)
        #expect(notes.now?.parts.count == 1 && !isExhausted(last))
        #expect(try await !isExhausted(run(notes)))
    }

    @Test func anotherRangeRestsAsAWholeSinceItMayOverlapWithTheOldOne() async throws {
        let notes = AddressNotes()
        _ = try await run(notes)
        let wider = try await run(notes, AddressRange(subnet: "10.9.0.0/16", port: 80))
        #expect(isExhausted(wider))
        clock.advance(by: .seconds(60))
        #expect(!isExhausted(wider))
    }

    @Test func nothingIsGivenWhenItCannotBeWrittenDown() async throws {
        struct Full: AddressLedger {
            func read() async throws -> AddressRecord? { nil }
            func write(_ record: AddressRecord) async throws { throw FileError("the disk is full") }
        }
        let addresses = ActorAddresses(try twoHundred, rest: .seconds(60), ledger: Full())
        await #expect(throws: FileError.self) { try await addresses.begin(.test(clock: clock)) }
        #expect(isExhausted(addresses))
    }

    @Test func theStateDirectoryKeepsWhatTheNextRunHasToKnow() async throws {
        let files = TemporaryDirectory()
        let directory = try StateDirectory(path: "\(files.path)/state", newID: { "id" })
        let ledger = directory.addressLedger
        #expect(try await ledger.read() == nil)
        for record in [
            AddressRecord(range: "10.9.8.0/24:80", parts: [3, 15, 0]), AddressRecord(range: "r", parts: []),
        ] {
            try await ledger.write(record)
            #expect(try await ledger.read() == record)
        }
        // What is damaged is not taken for a node that has given none.
        try Data([0xff, 0x0a, 0x31]).write(to: URL(fileURLWithPath: "\(directory.path)/addresses"))
        let addresses = ActorAddresses(try twoHundred, rest: .seconds(60), ledger: ledger)
        try await addresses.begin(.test(clock: clock))
        #expect(isExhausted(addresses))
    }
}
