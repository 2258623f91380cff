import Simulation

/// Whether the simulation would find the mistakes that it is there to find.
enum PlantedBugs {
    /// Plants each, and prints after how many seeds it was found. Returns whether all were.
    static func run(_ seeds: Range<UInt64>, _ threads: Int, only: PlantedBug?) -> Bool {
        var isWell = true
        for bug in only.map({ [$0] }) ?? PlantedBug.allCases {
            let result = Exploration(seeds: seeds, threads: threads, bug: bug).explore()
            let count = "after \(result.report.runs) seeds"
            if let violated = result.violated {
                print("\(bug.rawValue): found \(count), in seed \(violated.seed): \(violated.violations.first ?? "")")
            } else {
                print("\(bug.rawValue): NOT FOUND \(count): \(bug.summary)")
                isWell = false
            }
        }
        return isWell
    }
}
