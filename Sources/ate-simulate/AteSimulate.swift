import Foundation
import ServiceKit
import Simulation

/// Runs the control plane and the nodes under a seeded scheduler, against a model of etcd, with everything going wrong that
/// can, and checks what must hold after every step.
@main
enum AteSimulate {
    static func main() {
        beDeterministic()
        Escapes.areCaught { Program.fail("the simulation does not decide everything any more: \($0)", code: 3) }
        do {
            switch try flags.parse(Array(CommandLine.arguments.dropFirst())) {
            case .help(let text): print(text, terminator: "")
            case .values(let values):
                try values.refuseOperands()
                exit(try run(values) ? 0 : 1)
            }
        } catch {
            Program.fail("\(error)", code: 2)
        }
    }

    /// Dictionaries and sets have the same order in every process only if their hashes are not seeded.
    private static func beDeterministic() {
        let name = "SWIFT_DETERMINISTIC_HASHING"
        if getenv(name) != nil { return }
        setenv(name, "1", 1)
        var arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) } + [nil]
        execv("/proc/self/exe", &arguments)
        Program.fail("cannot start anew with \(name)=1: \(String(cString: strerror(errno)))", code: 1)
    }

    private static func run(_ values: Flags.Values) throws(FlagError) -> Bool {
        var bug: PlantedBug?
        if let name = values.optional("bug") {
            guard let known = PlantedBug(rawValue: name) else {
                throw FlagError("--bug: there is no \(name); --help lists them")
            }
            bug = known
        }
        if let text = values.optional("replay") {
            guard let seed = UInt64(text) else { throw FlagError("--replay: \(text) is no seed") }
            return Replay.run(seed, bug)
        }
        let first = UInt64(try values.number("first"))
        let seeds = first..<first + UInt64(try values.number("seeds"))
        let threads = try values.number("threads")
        if values.isSet("planted") { return PlantedBugs.run(seeds, threads, only: bug) }
        return Exploration(seeds: seeds, threads: threads, bug: bug).run(
            mayMiss: values.isSet("incomplete"), printsDigest: values.isSet("digest"))
    }

    private static var flags: Flags {
        var flags = Flags(
            program: "ate-simulate",
            summary:
                "Runs the control plane and the nodes under a seeded scheduler, against a model of etcd, with faults of all kinds, and checks the invariants after every step. Exits with 1 when one is broken.",
            examples: [
                "ate-simulate --seeds 20000", "ate-simulate --replay 1234", "ate-simulate --planted --seeds 20000",
            ])
        flags.number("seeds", 1...1_000_000_000, default: 2000, help: "How many seeds to run.")
        flags.number("first", 0...Int(Int32.max), default: 1, help: "The first of them.")
        flags.number(
            "threads", 1...256, default: max(1, ProcessInfo.processInfo.activeProcessorCount),
            help: "How many seeds to run at a time, each on a thread of its own. As many as there are processors.")
        flags.text("replay", "SEED", help: "Runs this seed, twice, and prints all that happens in it.")
        flags.text(
            "bug", "NAME",
            help:
                "Plants a mistake, to see it found: \(PlantedBug.allCases.map(\.rawValue).joined(separator: ", "))."
        )
        flags.toggle(
            "planted", help: "Plants one mistake after the other, and fails when one is not found within the seeds.")
        flags.toggle(
            "incomplete", help: "Does not fail when some transaction or fault of the report has never happened.")
        flags.toggle("digest", help: "Prints a digest of everything that happened, to compare two runs.")
        return flags
    }
}
