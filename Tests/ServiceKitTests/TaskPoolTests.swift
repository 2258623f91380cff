import ServiceKit
import TestKit
import Testing

@Suite struct TaskPoolTests {
    private struct Failure: Error, Equatable {}

    @Test func resultsAndErrorsComeBack() async throws {
        let pool = TaskPool()
        try await running(pool.run) {
            let seven = await pool.perform { () throws(Failure) in 7 }
            #expect(seven == .success(7))
            let failure = await pool.perform { () throws(Failure) -> Int in throw Failure() }
            #expect(failure == .failure(Failure()))
        }
    }

    @Test func workGoesOnWhenItsCallerStopsWaiting() async throws {
        let pool = TaskPool()
        let isDone = Flag()
        let gate = Gate()
        try await running(pool.run) {
            let caller = Task {
                await pool.perform { () throws(Failure) in
                    await gate.pass()
                    isDone.set()
                }
            }
            try await gate.waitForArrival()
            caller.cancel()
            #expect(await caller.value == nil)
            gate.open()
            try await eventually("the work is done") { isDone.isSet }
        }
    }

    @Test func aPoolThatEndsCancelsWhatRunsAndRefusesTheRest() async throws {
        let pool = TaskPool()
        let gate = Gate()
        let wasCancelled = Flag()
        let run = Task { await pool.run() }
        pool.submit {
            await gate.pass()
            if Task.isCancelled { wasCancelled.set() }
        }
        try await gate.waitForArrival()
        run.cancel()
        await run.value
        #expect(wasCancelled.isSet)
        let late = await pool.perform { () throws(Failure) in 1 }
        #expect(late == nil)
    }

    @Test func signalsThatNobodyWaitsForBecomeOne() async {
        let signal = Signal()
        for _ in 0..<10 { signal.fire() }
        var count = 0
        for await _ in signal.wakeUps {
            count += 1
            if count == 2 { break }
            signal.fire()
        }
        #expect(count == 2)
    }

    @Test func aBackoffDoublesToItsLimitAndStartsOver() {
        var backoff = Backoff(from: .milliseconds(10), to: .milliseconds(35))
        #expect((0..<4).map { _ in backoff.pause() } == [10, 20, 35, 35].map { .milliseconds($0) })
        backoff.reset()
        #expect(backoff.pause() == .milliseconds(10))
    }
}

extension Result where Success: Equatable, Failure: Equatable {
    fileprivate static func == (left: Result?, right: Result) -> Bool {
        switch (left, right) {
        case (.success(let left)?, .success(let right)): left == right
        case (.failure(let left)?, .failure(let right)): left == right
        default: false
        }
    }
}
