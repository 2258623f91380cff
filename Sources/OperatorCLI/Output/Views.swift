internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

extension View where Object == ActorInfo {
    static let actors = View(
        kind: .actor,
        columns: [
            Column("ATESPACE") { $0.ref.atespace },
            Column("TEMPLATE NS") { $0.template.namespace },
            Column("TEMPLATE") { $0.template.name },
            Column("ID") { $0.ref.name },
            Column("STATUS", isState: true) { $0.statusName },
            Column("ATEOM POD") { $0.assignment.map { "\($0.worker.pool.namespace)/\($0.worker.pod)" } ?? "" },
            Column("ATEOM IP") { $0.assignment?.address?.ip ?? "" },
            Column("PORT", isWide: true) { ($0.assignment?.address?.port).map { "\($0)" } ?? "" },
            Column("POOL", isWide: true) { $0.assignment?.worker.pool.name ?? "" },
            Column("SELECTOR", isWide: true) { $0.workerSelector.matchLabels.listed },
            Column("LAST SNAPSHOT", isWide: true) { $0.lastSnapshot?.text ?? "" },
            Column("LOCAL SNAPSHOT ON", isWide: true) { $0.localSnapshot?.nodes.joined(separator: ",") ?? "" },
            Column("VERSION") { "\($0.version)" },
        ], name: { $0.ref.name }, json: ProtoJSON.actor, labels: { $0.workerSelector.matchLabels },
        isBefore: { $0.ref < $1.ref })
}

extension ActorInfo {
    /// As the API names it.
    var statusName: String { status?.rawValue ?? "STATUS_UNSPECIFIED" }
}

extension View where Object == WorkerInfo {
    static let workers = View(
        kind: .worker,
        columns: [
            Column("NAMESPACE") { $0.ref.pool.namespace },
            Column("POOL") { $0.ref.pool.name },
            Column("POD") { $0.ref.pod },
            Column("STATUS", isState: true) { $0.statusWord },
            Column("NODE", isWide: true) { $0.node },
            Column("IP", isWide: true) { $0.ip },
            Column("VERSION", isWide: true) { "\($0.version)" },
            Column("TEMPLATE", isWide: true) { $0.template.map { "\($0)" } ?? "" },
            Column("ASSIGNED ACTOR") { $0.actor.map { "\($0)" } ?? "" },
        ], name: { "\($0.ref)" }, json: ProtoJSON.worker, isBefore: { $0.ref < $1.ref })
}

extension View where Object == String {
    static let atespaces = View(
        kind: .atespace, columns: [Column("NAME") { $0 }], name: { $0 },
        json: { ProtoJSON.object([("name", .string($0))]) }, isBefore: <)
}

extension View where Object == WorkerPool {
    static let pools = View(
        kind: .pool,
        columns: [
            Column("NAMESPACE") { $0.ref.namespace },
            Column("NAME") { $0.ref.name },
            Column("CLASS") { $0.sandboxClass.rawValue },
            Column("REPLICAS") { "\($0.replicas)" },
            Column("WORKERS") { "\($0.status.replicas)" },
            Column("IMAGE", isWide: true) { $0.ateomImage },
            Column("LABELS", isWide: true) { $0.labels.listed },
        ], name: { "\($0.ref)" }, json: ProtoJSON.pool, labels: { $0.labels }, isBefore: { $0.ref < $1.ref })
}

extension View where Object == ActorTemplate {
    static let templates = View(
        kind: .template,
        columns: [
            Column("NAMESPACE") { $0.ref.namespace },
            Column("NAME") { $0.ref.name },
            Column("CLASS") { $0.sandboxClass.rawValue },
            Column("SNAPSHOTS", isWide: true) { $0.snapshotLocation },
            Column("SELECTOR", isWide: true) { $0.workerSelector.listed },
            Column("LABELS", isWide: true) { $0.labels.listed },
            Column("CONTAINERS") { $0.containers.map(\.name).joined(separator: ",") },
        ], name: { "\($0.ref)" }, json: ProtoJSON.template, labels: { $0.labels }, isBefore: { $0.ref < $1.ref })
}
