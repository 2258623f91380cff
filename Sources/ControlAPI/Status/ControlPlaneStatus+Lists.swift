internal import ControlPlane
internal import Etcd
internal import ServiceKit
internal import StatusPage
internal import SubstrateModel
internal import SubstrateStore

/// The facts and lists of the page. Names are shown as they are: the page puts them in as text.
extension ControlPlaneStatus {
    func facts(leader: String?) -> [StatusReport.Fact] {
        let losses = control.inventory.losses
        let stranded = control.lifecycle.census?.stranded
        return [
            leader.map { leader in
                let isThis = leader == control.replica.id
                return StatusReport.Fact("leader", isThis ? "this replica" : "replica \(leader.prefix(8))")
            } ?? StatusReport.Fact("leader", "none known", .bad),
            control.replica.hasSession
                ? StatusReport.Fact("session in etcd", "held", .good)
                : StatusReport.Fact("session in etcd", "none", .bad),
            etcdFact,
            control.inventory.isListed
                ? StatusReport.Fact("workers", "known at revision \(control.inventory.news?.revision ?? 0)", .good)
                : StatusReport.Fact("workers", "not listed yet", .bad),
            StatusReport.Fact("lost, not yet released", "\(losses.open.count)", losses.open.isEmpty ? .good : .bad),
            StatusReport.Fact(
                "stranded actors", stranded.map { "\($0)" } ?? "the leader knows",
                (stranded ?? 0) > 0 ? .warning : .plain),
            StatusReport.Fact("waiting resumes", "\(control.inventory.waitingForWorkers)"),
        ]
    }

    private var etcdFact: StatusReport.Fact {
        guard let condition = etcd.latest else { return StatusReport.Fact("etcd", "not asked yet") }
        if let alarms = condition.alarms, !alarms.isEmpty {
            let kinds = Set(alarms.map(\.kind.label)).sorted().joined(separator: ", ")
            return StatusReport.Fact("etcd", "alarm: \(kinds)", .bad)
        }
        let answering = condition.members.count { $0.status != nil }
        return StatusReport.Fact(
            "etcd", "\(answering) of \(condition.members.count) members answer",
            answering == condition.members.count ? .good : answering * 2 > condition.members.count ? .warning : .bad)
    }

    func releases(_ query: StatusQuery) -> StatusReport.List {
        let losses = control.inventory.losses
        let open = losses.open.values.sorted { $0.seenAtMilliseconds > $1.seenAtMilliseconds }
        let rows = (open + losses.released).filter { query.matches($0.worker.description, $0.actor.description) }
        return StatusReport.List(
            "releases", "Releases",
            note: "lost workers that this replica has seen, the last \(LossLog.length)",
            [
                .init("lost", .time), .init("actor"), .init("worker"), .init("cause"), .init("state", .state),
                .init("took", .duration),
            ],
            rows: rows.prefix(query.limit).map { loss in
                [
                    .integer(loss.seenAtMilliseconds), .text(loss.actor), .text(loss.worker),
                    .string(loss.cause.words), .string(loss.duration == nil ? "lost" : "released"),
                    .number(loss.duration.map { $0 / .seconds(1) } ?? .nan),
                ]
            }, total: rows.count)
    }

    func operations(_ query: StatusQuery) -> StatusReport.List {
        let mine = control.underWay.all
        let known = Set(mine.map(\.actor))
        let others = (control.operations.latest?.operations ?? [:]).filter { ref, operation in
            operation.value.owner != control.replica.id && !known.contains(ref)
        }.sorted { $0.key < $1.key }
        var rows: [[JSON]] = mine.filter { query.matches($0.actor.description, $0.kind.rawValue) }.map { entry in
            [.text(entry.actor), .string(entry.kind.rawValue), "this replica", .integer(entry.sinceMilliseconds)]
        }
        for (ref, operation) in others where query.matches(ref.description, "\(operation.value.kind)") {
            rows.append([
                .text(ref), .string("\(operation.value.kind)"), .string("replica \(operation.value.owner.prefix(8))"),
                .string(""),
            ])
        }
        return StatusReport.List(
            "operations", "Operations under way", note: "those of other replicas as of the last sweep, every 5 s",
            [.init("actor"), .init("kind"), .init("by"), .init("since", .time)], rows: Array(rows.prefix(query.limit)),
            total: rows.count)
    }

    func list(_ workers: [(ref: WorkerRef, row: WorkerRow)], _ query: StatusQuery) -> StatusReport.List {
        let wanted =
            query.filter.isEmpty
            ? workers
            : workers.filter { worker in
                query.matches(
                    worker.ref.description, worker.row.presence?.value.node ?? "",
                    worker.row.binding?.value.actor.description ?? "", worker.row.state.rawValue)
            }
        return StatusReport.List(
            "workers", "Workers",
            [
                .init("worker"), .init("state", .state), .init("actor"), .init("node"), .init("address"),
                .init("drains until", .time),
            ],
            rows: wanted.prefix(query.limit).map { ref, row in
                [
                    .text(ref), .string(row.state.rawValue), .string(row.binding?.value.actor.description ?? ""),
                    .string(row.presence?.value.node ?? ""), .string(row.binding?.value.address?.description ?? ""),
                    row.presence?.value.drainingUntilMilliseconds.map { .integer($0) } ?? .string(""),
                ]
            }, total: wanted.count)
    }

    func members(_ query: StatusQuery) -> StatusReport.List {
        let members = (etcd.latest?.members ?? []).filter { query.matches($0.endpoint) }
        return StatusReport.List(
            "etcd", "etcd", note: "asked every 5 s",
            [
                .init("member"), .init("state", .state), .init("role"), .init("answers in", .duration),
                .init("version"),
                .init("database"), .init("revision"), .init("error"),
            ],
            rows: members.prefix(query.limit).map { member in
                let status = member.status
                let role = status.map { $0.leader == $0.memberID ? "leader" : $0.isLearner ? "learner" : "follower" }
                return [
                    .string(member.endpoint), .string(status == nil ? "failed" : "ok"), .string(role ?? ""),
                    status == nil ? .string("") : .number(member.latency / .seconds(1)),
                    .string(status?.version ?? ""),
                    .string(
                        status.map { "\(size($0.databaseSizeInUse)) of \(size($0.databaseSize))" } ?? ""),
                    .string(status.map { "\($0.revision)" } ?? ""),
                    .string(member.error ?? status?.errors.joined(separator: ", ") ?? ""),
                ]
            }, total: members.count)
    }

    private func size(_ bytes: Int64) -> String {
        bytes < 10 << 20 ? "\(bytes >> 10) KiB" : "\(bytes >> 20) MiB"
    }
}

extension Loss.Cause {
    fileprivate var words: String {
        switch self {
        case .gone: "its node is gone"
        case .replaced: "its node registered it anew"
        }
    }
}
