/// What a method of the API asks of its caller.
package struct MethodRequirement: Sendable, Equatable {
    package enum Reach: Sendable {
        /// The atespace that the request names; all of them when it names none.
        case namedAtespace
        /// All atespaces, or what belongs to none.
        case everything
        /// Nothing that a policy speaks of: whoever has proved an identity may ask, and what the answer is depends on it.
        case nothing
    }

    package var verb: Verb
    package var reach: Reach

    /// - Parameter method: the path, such as `/ateapi.Control/GetActor`.
    /// - Returns: nil for a method that is not in the table, which nobody may call.
    package static func of(_ method: String) -> MethodRequirement? { table[method] }

    private static let table: [String: MethodRequirement] = {
        var table: [String: MethodRequirement] = [:]
        func need(_ verb: Verb, _ reach: Reach, _ service: String, _ methods: String...) {
            for method in methods { table["/\(service)/\(method)"] = MethodRequirement(verb: verb, reach: reach) }
        }
        need(.view, .namedAtespace, "ateapi.Control", "GetActor", "ListActors", "GetAtespace")
        need(.view, .namedAtespace, "substrate.Watch", "WatchActors", "ActorLogs")
        need(
            .operate, .namedAtespace, "ateapi.Control",
            "CreateActor", "UpdateActor", "SuspendActor", "PauseActor", "ResumeActor", "DeleteActor")
        need(.operate, .namedAtespace, "substrate.Operator", "ReleaseHold")
        need(.admin, .namedAtespace, "ateapi.Control", "CreateAtespace", "DeleteAtespace")
        // They show what is in every atespace.
        need(.view, .everything, "ateapi.Control", "ListWorkers", "ListAtespaces")
        need(.view, .everything, "substrate.Watch", "WatchWorkers")
        need(.admin, .everything, "ateapi.Control", "DebugClear")
        // A router sends requests to the actors of every atespace.
        need(.operate, .everything, "substrate.Router", "ReportServed")
        // A drain moves the actors of every atespace.
        need(.admin, .everything, "substrate.Operator", "Drain", "Undrain")
        // Only a worker gets an identity, and only that of the actor that it holds.
        need(.view, .nothing, "ateapi.SessionIdentity", "MintJWT", "MintCert")
        // It shows what is published anyway.
        for version in ["v1", "v1alpha"] {
            need(.view, .nothing, "grpc.reflection.\(version).ServerReflection", "ServerReflectionInfo")
        }
        // Pools and templates serve all atespaces.
        need(
            .view, .everything, "substrate.Resources",
            "GetWorkerPool", "ListWorkerPools", "GetActorTemplate", "ListActorTemplates")
        need(
            .admin, .everything, "substrate.Resources",
            "ApplyWorkerPool", "DeleteWorkerPool", "ApplyActorTemplate", "DeleteActorTemplate")
        return table
    }()
}
