package import Metrics
package import ServiceKit

/// What somebody wants to see.
package struct StatusQuery: Sendable, Equatable {
    /// What rows have to contain; empty for all.
    package var filter: String
    /// Most rows of each list.
    package var limit: Int

    package init(filter: String = "", limit: Int = StatusQuery.defaultLimit) {
        self.filter = filter
        self.limit = limit
    }

    package static let defaultLimit = 100
    package static let maximumLimit = 500
    package static let maximumFilter = 512

    /// Whether a row with these texts is wanted.
    package func matches(_ texts: String...) -> Bool { filter.isEmpty || texts.contains { $0.contains(filter) } }
}

/// What the status listener of a program answers with.
package struct StatusSource: Sendable {
    package var metrics: MetricRegistry
    /// Why the program is beyond hope and should be started anew; empty when it is not.
    package var faults: @Sendable () -> [String]
    /// Why the program cannot do what it is for; empty when it can.
    package var hindrances: @Sendable () -> [String]
    package var report: @Sendable (StatusQuery) async -> StatusReport
    /// An element whenever the report may have changed, until the reading task is cancelled.
    package var changes: @Sendable () -> AsyncStream<Void>
    package var environment: Environment

    package init(
        metrics: MetricRegistry, environment: Environment, faults: @escaping @Sendable () -> [String] = { [] },
        hindrances: @escaping @Sendable () -> [String], changes: @escaping @Sendable () -> AsyncStream<Void>,
        report: @escaping @Sendable (StatusQuery) async -> StatusReport
    ) {
        self.metrics = metrics
        self.environment = environment
        self.faults = faults
        self.hindrances = hindrances
        self.changes = changes
        self.report = report
    }
}
