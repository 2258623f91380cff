import Simulation
import Testing

/// The simulation itself. `ate-simulate` runs the many seeds.
@Suite struct SimulationTests {
    @Test func aSeedReplaysExactly() {
        for seed in 1...5 as ClosedRange<UInt64> {
            let first = Simulation.run(seed)
            let again = Simulation.run(seed, keepsHistory: true)
            #expect(first.digest == again.digest && first.steps == again.steps)
            #expect(first.steps >= 500)
            #expect(!again.history.isEmpty)
            #expect(Simulation.run(seed + 100).digest != first.digest)
        }
    }

    @Test func nothingIsBrokenInAFewSeeds() {
        let report = Report()
        for seed in 1...20 as ClosedRange<UInt64> {
            let outcome = Simulation.run(seed, addingTo: report)
            #expect(outcome.violations == [], "seed \(seed)")
        }
        #expect(report.runs == 20 && report.succeeded > 100)
        #expect((report.committed[.claim] ?? 0) > 20 && (report.committed[.release] ?? 0) > 5)
    }

    @Test func whatNeverHappenedIsSaid() {
        #expect(Report().missing.contains("claim never committed"))
        #expect(Report().missing.contains("request lost never struck"))
    }

    /// Those that few seeds find; `ate-simulate --planted` looks for all of them.
    @Test(arguments: [PlantedBug.noWatchdog, .incarnationUnchecked, .noAdoption])
    func aPlantedBugIsFoundAndItsSeedReplays(bug: PlantedBug) throws {
        let found = try #require(
            (1...300 as ClosedRange<UInt64>).lazy.map { Simulation.run($0, bug: bug) }.first { !$0.violations.isEmpty })
        #expect(Simulation.run(found.seed, bug: bug).violations == found.violations)
    }
}
