internal import History

/// Runs of many seeds, on several threads.
package enum Simulation {
    /// What came of one seed.
    package struct Outcome: Sendable {
        package var seed: UInt64
        package var violations: [String]
        /// Of everything that happened, in its order.
        package var digest: UInt64
        package var steps: Int
        /// What happened, if it was kept.
        package var history: [String]
    }

    package static func run(
        _ seed: UInt64, bug: PlantedBug? = nil, keepsHistory: Bool = false, addingTo report: Report? = nil
    ) -> Outcome {
        let world = World(seed: seed, bug: bug, keepsHistory: keepsHistory)
        world.run()
        report?.add(world.report)
        return Outcome(
            seed: seed, violations: world.violations.map(\.description), digest: world.scheduler.digest,
            steps: world.scheduler.steps, history: world.history)
    }
}
