package import Metrics
internal import ServiceKit
package import StatusPage
internal import SubstrateModel
internal import SubstrateStore

extension NodeAgent {
    /// What atelet's status page says.
    package func statusSource(_ metrics: MetricRegistry) -> StatusSource {
        StatusSource(
            metrics: metrics, environment: environment,
            faults: { [health] in health.hung.map { "\($0) makes no progress" } },
            hindrances: { [self] in hindrances }, changes: { [readiness] in readiness.changes },
            report: { [self] in report($0) })
    }

    private var hindrances: [String] {
        if drain.isStopping { return ["the node is being drained, to stop"] }
        return readiness.isReady ? [] : ["\(slots.all.count) of \(options.workerCount) workers are offered"]
    }

    private func report(_ query: StatusQuery) -> StatusReport {
        let slots = slots.all
        let isGood = leaseClock?.isGood == true
        let hung = health.hung
        let rows = slots.filter { query.matches($0.ref.description, $0.actor?.description ?? "") }
        return StatusReport(
            program: "atelet", name: "node \(options.node) of pool \(options.pool)",
            facts: [
                StatusReport.Fact(
                    "lease", isGood ? "good" : "not good: actors are frozen, or none run", isGood ? .good : .bad),
                StatusReport.Fact(
                    "workers offered", "\(slots.count) of \(options.workerCount)",
                    slots.count == options.workerCount ? .good : .warning),
                StatusReport.Fact("actors", "\(slots.count { $0.actor != nil })"),
                StatusReport.Fact(
                    "progress", hung.isEmpty ? "all parts answer" : hung.joined(separator: ", "),
                    hung.isEmpty ? .good : .bad),
                StatusReport.Fact("agent's address", options.agentAddress),
                StatusReport.Fact(
                    "router's address", options.routerAddress ?? "none: routers reach the actors themselves"),
            ],
            lists: [
                StatusReport.List(
                    "workers", "Workers",
                    [.init("worker"), .init("state", .state), .init("actor"), .init("address")],
                    rows: rows.prefix(query.limit).map { slot in
                        [
                            .text(slot.ref),
                            .string(
                                slot.presence.value.isDraining ? "draining" : slot.actor == nil ? "free" : "running"),
                            .string(slot.actor?.description ?? ""), .string(slot.address?.description ?? ""),
                        ]
                    }, total: rows.count)
            ])
    }
}
