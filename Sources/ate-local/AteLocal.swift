import Foundation
import LocalCluster
import ServiceKit

/// The whole system on this machine: `ate-local run` to play with, `ate-local demo` to be shown what it does.
@main
enum AteLocal {
    static func main() async {
        guard let command = CommandLine.arguments.dropFirst().first, CommandLine.arguments.count == 2,
            ["run", "demo"].contains(command)
        else {
            Program.fail("usage: ate-local run|demo (from the top of the repository; make does that)", code: 2)
        }
        let stops = Signals.stopRequests()
        let work = Task {
            if command == "run" { try await Playground.run() } else { try await Demo.run() }
        }
        let watcher = Task {
            for await _ in stops { work.cancel() }
        }
        do {
            try await work.value
        } catch is CancellationError {
            if command == "demo" { Program.fail("interrupted; everything has been stopped", code: 130) }
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
