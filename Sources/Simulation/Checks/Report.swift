/// What happened in one or many runs.
///
/// `@unchecked`: see `Scheduler`; those of different threads are added up once these have ended.
package final class Report: @unchecked Sendable {
    package private(set) var runs = 0
    package private(set) var steps = 0
    package private(set) var committed: [StepKind: Int] = [:]
    package private(set) var conflicted: [StepKind: Int] = [:]
    package private(set) var faults: [Fault: Int] = [:]
    /// Of operations that clients asked for.
    package private(set) var succeeded = 0
    package private(set) var failed = 0
    package private(set) var shortest = Int.max

    package init() {}

    func count(_ step: StepKind, _ isCommitted: Bool) {
        if isCommitted { committed[step, default: 0] += 1 } else { conflicted[step, default: 0] += 1 }
    }

    func count(_ fault: Fault) { faults[fault, default: 0] += 1 }

    func countRequest(succeeded isSuccess: Bool) { if isSuccess { succeeded += 1 } else { failed += 1 } }

    func countRun(steps: Int) {
        runs += 1
        self.steps += steps
        shortest = min(shortest, steps)
    }

    package func add(_ other: Report) {
        runs += other.runs
        steps += other.steps
        succeeded += other.succeeded
        failed += other.failed
        shortest = min(shortest, other.shortest)
        committed.merge(other.committed, uniquingKeysWith: +)
        conflicted.merge(other.conflicted, uniquingKeysWith: +)
        faults.merge(other.faults, uniquingKeysWith: +)
    }

    /// What should have happened and did not.
    package var missing: [String] {
        StepKind.allCases.flatMap { step in
            (committed[step] == nil && step.canCommit ? ["\(step.rawValue) never committed"] : [])
                + (conflicted[step] == nil ? ["\(step.rawValue) never conflicted"] : [])
        } + Fault.allCases.filter { faults[$0] == nil }.map { "\($0.rawValue) never struck" }
    }

    /// For people to read.
    package var text: String {
        var lines = ["transaction                committed  conflicted"]
        for step in StepKind.allCases {
            lines.append(
                step.rawValue.padded(to: 24) + "\(committed[step] ?? 0)".rightAligned(to: 12)
                    + "\(conflicted[step] ?? 0)".rightAligned(to: 12))
        }
        lines.append("fault                           struck")
        for fault in Fault.allCases {
            lines.append(fault.rawValue.padded(to: 32) + "\(faults[fault] ?? 0)".rightAligned(to: 10))
        }
        lines.append("requests: \(succeeded) succeeded, \(failed) failed")
        return lines.joined(separator: "\n")
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
    fileprivate func rightAligned(to width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }
}
