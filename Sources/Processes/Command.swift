internal import Glibc

/// A program to start.
package struct Command: Sendable {
    /// What becomes of a child's output.
    package enum Output: Sendable {
        /// Goes where ours goes.
        case inherit
        /// Each line is passed on as it comes, without its end; longer ones than 16 KiB in pieces; of more than 256 KiB in a
        /// second, a note how many were left out. Called on the thread that watches all children: it must not block.
        case lines(@Sendable (String) -> Void)
        /// The same as bytes, standard output and standard error apart and each with a limit of its own. What came on the two
        /// at the same time may come in either order. `ended` comes once, last.
        case events(@Sendable (OutputEvent) -> Void)
    }

    /// Searched in PATH unless it has a slash.
    package var program: String
    package var arguments: [String]
    /// The child's whole environment.
    package var environment: [String: String]
    /// Nil: ours.
    package var directory: String?
    package var output: Output
    /// What the kernel sends the child when this process ends, however that happens.
    package var deathSignal: Int32 = SIGKILL

    package init(
        _ program: String, _ arguments: [String] = [], environment: [String: String] = [:], directory: String? = nil,
        output: Output = .inherit
    ) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.output = output
    }
}

/// How a process ended.
package enum ExitStatus: Sendable, Equatable, CustomStringConvertible {
    case exited(code: Int)
    case killed(signal: Int)

    package var description: String {
        switch self {
        case .exited(let code): "exited with status \(code)"
        case .killed(let signal): "was killed by signal \(signal)"
        }
    }
}

/// A program that could not be started.
package struct SpawnError: Error, Sendable, CustomStringConvertible {
    package let program: String
    package let reason: String

    package var description: String { "cannot start \(program): \(reason)" }
}
