internal import Foundation
internal import SubstrateAPI
internal import SubstrateModel

extension Description {
    init(_ actor: ActorInfo) {
        add("Name", actor.ref.name)
        add("Atespace", actor.ref.atespace)
        add("Status", actor.status?.word ?? "not known to this atectl")
        add("Version", "\(actor.version)")
        add("Template", "\(actor.template)")
        add("Worker selector", actor.workerSelector.listed)
        add("Worker", actor.assignment.map { "\($0.worker)" })
        if let assignment = actor.assignment {
            add("Worker UID", assignment.uid)
            add("Address", assignment.address.map { "\($0)" })
        }
        add("Last snapshot", actor.lastSnapshot?.text)
        add(
            "Local snapshot",
            actor.localSnapshot.map {
                "\($0.prefix) on \($0.nodes.joined(separator: ", ")), newer than the last snapshot"
            })
        add("Snapshot being written", actor.inProgressSnapshot)
        if let failure = actor.lastFailure {
            add(
                "Last resume failed",
                [failure.message, "on \(failure.worker), \(Description.time(failure.atMilliseconds))"])
        }
        if let loss = actor.lastRecovery {
            let next =
                switch loss.next {
                case .request: "nothing is due"
                case .resume: "is about to be resumed"
                case .hold: "held until: atectl release-hold actor \(actor.ref.name) -a \(actor.ref.atespace)"
                }
            add(
                "Last worker lost",
                [
                    "\(loss.worker), \(Description.time(loss.releasedAtMilliseconds))",
                    "was \(loss.statusBefore.word); \(next)",
                ])
        }
        if let fallback = actor.lastFallback {
            add(
                "Local snapshot given up",
                [
                    "\(fallback.prefix) on \(fallback.node): \(fallback.reason)",
                    Description.time(fallback.atMilliseconds),
                ])
        }
    }

    /// A time as ISO 8601, in UTC.
    private static func time(_ milliseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(.iso8601)
    }

    init(_ worker: WorkerInfo) {
        add("Pod", worker.ref.pod)
        add("Pool", "\(worker.ref.pool)")
        add("Status", worker.statusWord)
        if let end = worker.drainingUntilMilliseconds {
            add(
                worker.isDrained ? "Drained" : "Actor killed at",
                worker.isDrained ? "until: atectl undrain" : Description.time(end))
        }
        add("Actor", worker.actor.map { "\($0)" })
        if worker.actor != nil { add("Template", worker.template.map { "\($0)" }) }
        add("Node", worker.node)
        add("IP", worker.ip)
        add("UID", worker.uid)
        add("Version", "\(worker.version)")
    }

    init(atespace: String, _ actors: [ActorInfo]) {
        add("Name", atespace)
        add("Actors", "\(actors.count)")
        let byStatus = Dictionary(grouping: actors) { $0.status?.word ?? "unknown" }
        for (status, actors) in byStatus.sorted(by: { $0.key < $1.key }) { add("  \(status)", "\(actors.count)") }
    }

    init(_ pool: WorkerPool, _ workers: [WorkerInfo]) {
        add("Name", pool.ref.name)
        add("Namespace", pool.ref.namespace)
        add("Labels", pool.labels.listed)
        add("Sandbox class", pool.sandboxClass.rawValue)
        add("Image", pool.ateomImage)
        add("Sandbox config", pool.sandboxConfigName)
        add("Pod template", pool.podTemplate)
        add("Workers wanted", "\(pool.replicas)")
        add("Workers offered", "\(pool.status.replicas)")
        add(
            "Workers",
            workers.sorted { $0.ref < $1.ref }.map {
                "\($0.ref.pod)  \($0.actor.map { "ASSIGNED to \($0)" } ?? "FREE")"
            })
    }
}
