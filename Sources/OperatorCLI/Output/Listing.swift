internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// Something to show, as a table or whole.
struct Listing {
    var header: [String]
    var rows: [[String]]
    var whole: JSON

    /// - Parameter format: `table`, `json` or `yaml`.
    func text(_ format: String) -> String {
        switch format {
        case "json": return whole.text(indentation: 2) + "\n"
        case "yaml": return whole.yaml
        default:
            let table = Table.text(header, rows)
            return table.hasSuffix("\n") ? table : table + "\n"
        }
    }

    static func actors(_ actors: [ActorInfo]) -> Listing {
        let sorted = actors.sorted { $0.ref < $1.ref }
        return Listing(
            header: ["ATESPACE", "TEMPLATE NS", "TEMPLATE", "ID", "STATUS", "ATEOM POD", "ATEOM IP", "VERSION"],
            rows: sorted.map { actor in
                [
                    actor.ref.atespace, actor.template.namespace, actor.template.name, actor.ref.name,
                    actor.status?.rawValue ?? "STATUS_UNSPECIFIED",
                    actor.assignment.map { "\($0.worker.pool.namespace)/\($0.worker.pod)" } ?? "",
                    actor.assignment?.address.ip ?? "", "\(actor.version)",
                ]
            }, whole: ProtoJSON.object([("actors", .array(sorted.map(ProtoJSON.actor)))]))
    }

    static func workers(_ workers: [WorkerInfo]) -> Listing {
        let sorted = workers.sorted { $0.ref < $1.ref }
        return Listing(
            header: ["NAMESPACE", "POOL", "POD", "STATUS", "ASSIGNED ACTOR"],
            rows: sorted.map { worker in
                [
                    worker.ref.pool.namespace, worker.ref.pool.name, worker.ref.pod,
                    worker.actor == nil ? "FREE" : "ASSIGNED", worker.actor.map { "\($0)" } ?? "",
                ]
            }, whole: ProtoJSON.object([("workers", .array(sorted.map(ProtoJSON.worker)))]))
    }

    static func atespaces(_ names: [String]) -> Listing {
        let sorted = names.sorted()
        return Listing(
            header: ["NAME"], rows: sorted.map { [$0] },
            whole: ProtoJSON.object([
                ("atespaces", .array(sorted.map { ProtoJSON.object([("name", .string($0))]) }))
            ]))
    }

    static func pools(_ pools: [WorkerPool]) -> Listing {
        let sorted = pools.sorted { $0.ref < $1.ref }
        return Listing(
            header: ["NAMESPACE", "NAME", "CLASS", "REPLICAS", "WORKERS"],
            rows: sorted.map {
                [
                    $0.ref.namespace, $0.ref.name, $0.sandboxClass.rawValue, "\($0.replicas)",
                    "\($0.status.replicas)",
                ]
            },
            whole: ProtoJSON.object([("pools", .array(sorted.map(ProtoJSON.pool)))]))
    }

    static func templates(_ templates: [ActorTemplate]) -> Listing {
        let sorted = templates.sorted { $0.ref < $1.ref }
        return Listing(
            header: ["NAMESPACE", "NAME", "CLASS", "CONTAINERS"],
            rows: sorted.map {
                [
                    $0.ref.namespace, $0.ref.name, $0.sandboxClass.rawValue,
                    $0.containers.map(\.name).joined(separator: ","),
                ]
            }, whole: ProtoJSON.object([("templates", .array(sorted.map(ProtoJSON.template)))]))
    }
}
