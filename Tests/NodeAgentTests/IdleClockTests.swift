import Etcd
import TestKit
import Testing

@testable import NodeAgent

/// For how long an actor has certainly served nothing (B27).
@Suite struct IdleClockTests {
    let clock = ManualClock()

    private func look(_ idle: inout IdleClock, isConnected: Bool = false) -> Duration {
        idle.looked(isConnected: isConnected, notesBefore: idle.notes, now: clock.stopwatch())
    }

    @Test func anActorIsIdleFromTheFirstLookOnThatFindsNoConnection() {
        var idle = IdleClock()
        clock.advance(by: .seconds(100))
        #expect(look(&idle) == .zero)
        clock.advance(by: .seconds(7))
        #expect(look(&idle) == .seconds(7))
        clock.advance(by: .seconds(3))
        #expect(look(&idle) == .seconds(10))
    }

    @Test func aLongRequestCountsToItsEnd() {
        var idle = IdleClock()
        #expect(look(&idle) == .zero)
        for _ in 0..<3 {
            clock.advance(by: .seconds(100))
            #expect(look(&idle, isConnected: true) == .zero)
        }
        clock.advance(by: .seconds(5))
        // It may have ended only now.
        #expect(look(&idle) == .zero)
        clock.advance(by: .seconds(5))
        #expect(look(&idle) == .seconds(5))
    }

    @Test func aShortRequestBetweenTwoLooksCounts() {
        var idle = IdleClock()
        #expect(look(&idle) == .zero)
        clock.advance(by: .seconds(50))
        idle.served()
        clock.advance(by: .seconds(50))
        #expect(look(&idle) == .zero)
        clock.advance(by: .seconds(1))
        #expect(look(&idle) == .seconds(1))
    }

    @Test func aRequestThatComesDuringTheLookIsNotOverlooked() {
        var idle = IdleClock()
        #expect(look(&idle) == .zero)
        clock.advance(by: .seconds(50))
        let before = idle.notes
        idle.served()
        #expect(idle.looked(isConnected: false, notesBefore: before, now: clock.stopwatch()) == .zero)
        clock.advance(by: .seconds(1))
        // The look missed it, so it is not known to be over before the next one.
        #expect(look(&idle) == .zero)
    }
}
