import Simulation

/// One seed, with all that happens in it.
enum Replay {
    /// Prints the history. Returns whether nothing was broken.
    static func run(_ seed: UInt64, _ bug: PlantedBug?) -> Bool {
        let outcome = Simulation.run(seed, bug: bug, keepsHistory: true)
        for line in outcome.history { print(line) }
        print("\(outcome.steps) steps, digest \(String(outcome.digest, radix: 16))")
        let again = Simulation.run(seed, bug: bug)
        guard again.digest == outcome.digest else {
            print("run again, something else happened: the seed does not decide everything")
            return false
        }
        for violation in outcome.violations { print("seed \(seed): \(violation)") }
        return outcome.violations.isEmpty
    }
}
