internal import Foundation
internal import Glibc

/// What the mains of the long-running programs have in common.
package enum Program {
    /// Parses the flags, which may come from a file (`--config`), too, runs `body` until it returns or the program is asked to
    /// stop, and exits.
    ///
    /// On SIGTERM or SIGINT the task of `body` is cancelled, and the program exits once `body` has returned. A second
    /// signal exits at once.
    /// - Parameter stopping: for a program that needs time to stop: set by the first signal, and `body` returns when it has
    ///   wound up. The second signal cancels its task, and the third exits.
    package static func run(
        _ flags: Flags, stopping: Readiness? = nil,
        _ body: @escaping @Sendable (Flags.Values, Log) async throws -> Void
    ) async -> Never {
        var flags = flags
        flags.declareFile()
        do {
            switch try flags.parse(Array(CommandLine.arguments.dropFirst())) {
            case .help(let text):
                print(text, terminator: "")
                exit(0)
            case .values(let values):
                try values.refuseOperands()
                let log = Log.standardError(minimum: level(values))
                await serve(log, stopping) { try await body(values, log) }
            }
        } catch {
            fail("\(error)", code: 2)
        }
    }

    private static func level(_ values: Flags.Values) -> Log.Level {
        Log.Level.allCases.first { $0.name == values.optional("log-level") } ?? .info
    }

    private static func serve(
        _ log: Log, _ stopping: Readiness?, _ body: @escaping @Sendable () async throws -> Void
    ) async -> Never {
        let stops = Signals.stopRequests()
        let work = Task { try await body() }
        let watcher = Task {
            for await number in stops {
                if work.isCancelled { end(128 + number) }
                log.info("stopping", ["signal": .integer(Int64(number))])
                Supervisor.stopping()
                if let stopping, !stopping.isReady { stopping.set(true) } else { work.cancel() }
            }
        }
        do {
            try await work.value
        } catch is CancellationError {
        } catch {
            if !work.isCancelled { fail("\(error)", code: 1) }
            log.warning("stopped with an error", ["error": .string("\(error)")])
        }
        watcher.cancel()
        end(0)
    }

    /// Says on standard error why the program ends, and ends it.
    package static func fail(_ reason: String, code: Int32) -> Never {
        let name = CommandLine.arguments.first.map { URL(fileURLWithPath: $0).lastPathComponent } ?? "program"
        LineWriter.standardError.write("\(name): \(reason)\n")
        end(code)
    }

    /// Ends the program, once what it has said is written.
    package static func end(_ code: Int32) -> Never {
        LineWriter.standardError.flush()
        exit(code)
    }
}
