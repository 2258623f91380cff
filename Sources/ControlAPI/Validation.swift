internal import GRPC
internal import SubstrateModel

/// The checks of requests, with the texts that clients know. Which are made, and in what order, is each method's own.
enum Validation {
    static func require(_ value: String, _ field: String) throws(Status) {
        if value.isEmpty { throw .invalid("\(field) is required") }
    }

    static func name(_ name: String, _ field: String) throws(Status) {
        if let violation = NameRule.violation(of: name) { throw .invalid("invalid \(field): \(violation)") }
    }

    static func selector(_ selector: Selector) throws(Status) {
        if let violation = LabelRule.violation(of: selector) { throw .invalid(violation) }
    }

    /// An actor that is only looked up: a name that is not allowed cannot exist, so it is simply not found.
    static func lookup(_ actor: ActorRef) throws(Status) {
        try require(actor.name, "id")
        try require(actor.atespace, "atespace")
        if !NameRule.allows(actor.name) || !NameRule.allows(actor.atespace) { throw .notFound(actor) }
    }

    static func revision(_ revision: Int64) throws(Status) { try notNegative(revision, "after_revision") }

    static func notNegative(_ number: Int64, _ field: String) throws(Status) {
        if number < 0 { throw .invalid("\(field) cannot be negative") }
    }
}
