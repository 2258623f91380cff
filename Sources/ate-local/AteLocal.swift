import Foundation
import LocalCluster
import ServiceKit

/// The whole system on this machine: `ate-local run` to play with, `ate-local demo` to be shown what it does,
/// `ate-local with COMMAND` to run something against it.
@main
enum AteLocal {
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard let command = arguments.first,
            command == "with" ? arguments.count > 1 : ["run", "demo"].contains(command) && arguments.count == 1
        else {
            Program.fail(
                "usage: ate-local run|demo|with COMMAND... (from the top of the repository; make does that)", code: 2)
        }
        let stops = Signals.stopRequests()
        let work = Task {
            switch command {
            case "run": try await Playground.run()
            case "demo": try await Demo.run()
            default: try await CommandRun.run(Array(arguments.dropFirst()))
            }
        }
        let watcher = Task {
            for await _ in stops { work.cancel() }
        }
        do {
            try await work.value
        } catch is CancellationError {
            if command != "run" { Program.fail("interrupted; everything has been stopped", code: 130) }
        } catch {
            Program.fail("\(error)", code: 1)
        }
        watcher.cancel()
    }

    /// The directory of the built programs, which is this one's.
    static var programs: String {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
    }

    static let example = "examples/counter.yaml"
}
