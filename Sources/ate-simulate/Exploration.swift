import Foundation
import Simulation
import Synchronization

/// Many seeds, on several threads, up to the first violation.
struct Exploration: Sendable {
    var seeds: Range<UInt64>
    var threads: Int
    var bug: PlantedBug?

    struct Result: Sendable {
        var report: Report
        /// The violated run with the smallest seed among those that were run.
        var violated: Simulation.Outcome?
        /// Of the digests of all seeds, whatever their order.
        var digest: UInt64
        var duration: Duration
    }

    /// Runs them and prints the report. Returns whether all is well.
    func run(mayMiss: Bool, printsDigest: Bool) -> Bool {
        let result = explore()
        let report = result.report
        print(report.text)
        let rate = Double(report.runs) / max(0.001, result.duration / .seconds(1))
        let perRun = report.steps / max(1, report.runs)
        print("\(report.runs) seeds, \(Int(rate)) a second, \(perRun) steps each, \(report.shortest) at least")
        if printsDigest { print("digest \(String(result.digest, radix: 16))") }
        if let violated = result.violated {
            print("seed \(violated.seed) breaks a promise:")
            for violation in violated.violations { print("  \(violation)") }
            print("ate-simulate --replay \(violated.seed) shows all that led to it")
            return false
        }
        let missing = report.missing
        if !mayMiss, !missing.isEmpty {
            print("too few seeds, or something is not simulated any more: \(missing.joined(separator: ", "))")
            return false
        }
        return true
    }

    func explore() -> Result {
        struct State {
            var next: UInt64
            var report = Report()
            var violated: Simulation.Outcome?
            var digest: UInt64 = 0
        }
        let begin = ContinuousClock.now
        let state = Mutex(State(next: seeds.lowerBound))
        let done = DispatchGroup()
        for _ in 0..<threads {
            done.enter()
            let thread = Thread { [seeds, bug] in
                let report = Report()
                while let seed = state.withLock({ state -> UInt64? in
                    guard state.violated == nil, state.next < seeds.upperBound else { return nil }
                    defer { state.next += 1 }
                    return state.next
                }) {
                    let outcome = Simulation.run(seed, bug: bug, addingTo: report)
                    state.withLock { state in
                        state.digest ^= outcome.digest &* (2 &* seed &+ 1)
                        if !outcome.violations.isEmpty, seed < state.violated?.seed ?? .max { state.violated = outcome }
                    }
                }
                state.withLock { $0.report.add(report) }
                done.leave()
            }
            thread.stackSize = 8 << 20
            thread.start()
        }
        done.wait()
        return state.withLock {
            Result(
                report: $0.report, violated: $0.violated, digest: $0.digest, duration: ContinuousClock.now - begin)
        }
    }
}
