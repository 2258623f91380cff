import Foundation
import Simulation
import TestKit
import Testing

/// The simulation itself. `ate-simulate` runs the many seeds.
@Suite struct SimulationTests {
    /// Whatever it is that decides: in another process it would be something else.
    @Test func aSeedReplaysExactlyInAnotherProcess() async throws {
        let programs = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().path
        func digest(_ first: Int) async throws -> String {
            try await Tool.output(
                "\(programs)/ate-simulate",
                ["--seeds", "10", "--first", "\(first)", "--digest", "--incomplete"])
        }
        let (first, again, others) = (try await digest(1), try await digest(1), try await digest(11))
        let line = try #require(first.split(separator: "\n").first { $0.hasPrefix("digest ") })
        #expect(again.contains(line) && !others.contains(line))
    }

    @Test func nothingIsBrokenInAFewSeeds() {
        let report = Report()
        for seed in 1...20 as ClosedRange<UInt64> {
            let outcome = Simulation.run(seed, addingTo: report)
            #expect(outcome.violations == [], "seed \(seed)")
            #expect(outcome.steps >= 500)
        }
        #expect(report.runs == 20 && report.succeeded > 100)
        #expect((report.committed[.claim] ?? 0) > 20 && (report.committed[.release] ?? 0) > 5)
    }

    @Test func whatNeverHappenedIsSaid() {
        #expect(Report().missing.contains("claim never committed"))
        #expect(Report().missing.contains("request lost never struck"))
    }

    /// Those that few seeds find; `ate-simulate --planted` looks for all of them.
    @Test(arguments: [PlantedBug.noWatchdog, .releaseWhileDraining, .noAdoption, .addressesForgotten])
    func aPlantedBugIsFound(bug: PlantedBug) {
        let seeds = 1...300 as ClosedRange<UInt64>
        #expect(seeds.lazy.map { Simulation.run($0, bug: bug) }.contains { !$0.violations.isEmpty })
    }
}
