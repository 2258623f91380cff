internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// `wait`: until an actor has a status, or is gone.
enum Wait {
    /// What is waited for.
    enum Condition: Equatable {
        case status(ActorStatus)
        case deletion

        /// From `status=RUNNING` or `delete`.
        init(_ text: String) throws(FlagError) {
            let parts = text.split(separator: "=", maxSplits: 1).map { $0.lowercased() }
            if parts == ["delete"] {
                self = .deletion
                return
            }
            guard parts.count == 2, parts[0] == "status" else {
                throw FlagError(
                    "--for \(text): must be delete, or status= and one of \(Self.statuses.joined(separator: ", "))")
            }
            let wanted = parts[1].uppercased()
            guard let status = ActorStatus.allCases.first(where: { $0.word == wanted || $0.rawValue == wanted }) else {
                let nearest = Suggestion.nearest(to: wanted, of: Self.statuses).map { " (did you mean \($0)?)" } ?? ""
                throw FlagError(
                    "--for \(text): there is no such status\(nearest); one of \(Self.statuses.joined(separator: ", "))")
            }
            self = .status(status)
        }

        static var statuses: [String] { ActorStatus.allCases.map(\.word) }

        /// All that can be waited for.
        static var words: [String] { statuses.map { "status=\($0)" } + ["delete"] }
    }

    /// Of the flag that says what is waited for.
    static let placeholder = "CONDITION"

    static let command = Command(
        words: ["wait"], summary: "waits until an actor has a status, or is gone",
        details: """
            Ends with status 0 when that has come, and with 1 when the time is up, or when the actor is not there or is deleted
            while a status is waited for.
            """,
        examples: ["wait --for=status=RUNNING actor alice --timeout 30s", "wait --for=delete actor alice"],
        flags: { flags in
            flags.text("for", placeholder, help: "status=RUNNING, or another status, or delete. Required.")
            flags.duration("timeout", default: "30s", help: "How long to wait.")
            SharedFlags.atespace(&flags)
        },
        action: .object([.actor]) { _, name, invocation in
            let condition = try Condition(try invocation.values.text("for"))
            let ref = ActorRef(atespace: invocation.atespace, name: name)
            let api = try APIClient(invocation)
            var waiting = Waiting(ref, condition)
            var loop = WatchLoop(
                api, api.watchActors(in: ref.atespace), WatchedObjects { $0.ref == ref },
                complain: invocation.terminal.complain)
            let deadline = ContinuousClock.now + api.timeout
            switch try await loop.run(until: deadline, { try !waiting.isOver(after: $0) }) {
            case .seen: try invocation.say("actor \"\(name)\" condition met")
            case .timeIsUp:
                throw CommandError("timed out after \(api.timeout.inWords) waiting for \(waiting)")
            }
        })
}

extension Wait {
    /// How far the waiting has come.
    fileprivate struct Waiting: CustomStringConvertible {
        let ref: ActorRef
        let condition: Condition
        private var lastSeen: String?

        init(_ ref: ActorRef, _ condition: Condition) {
            self.ref = ref
            self.condition = condition
        }

        /// - Throws: `CommandError` when it cannot come any more.
        mutating func isOver(after changes: [WatchedObjects<ActorsUpdate>.Change]) throws -> Bool {
            let isFirst = lastSeen == nil
            for change in changes {
                lastSeen = change.isDeletion ? "deleted" : change.object.status?.word ?? "in an unknown status"
                switch (condition, change.isDeletion) {
                case (.deletion, true): return true
                case (.status(let wanted), false): if change.object.status == wanted { return true }
                case (.status(let wanted), true):
                    throw CommandError("actor \"\(ref)\" was deleted while it was waited for to be \(wanted.word)")
                case (.deletion, false): break
                }
            }
            guard isFirst, changes.isEmpty else { return false }
            if condition == .deletion { return true }
            throw CommandError("actor \"\(ref.name)\" not found")
        }

        var description: String {
            let goal =
                switch condition {
                case .status(let status): "be \(status.word)"
                case .deletion: "be deleted"
                }
            let seen = lastSeen.map { "it was last seen \($0)" } ?? "the API has not told of it"
            return "actor \"\(ref)\" to \(goal); \(seen)"
        }
    }
}

extension ActorStatus {
    /// Without the prefix that the API's names have.
    var word: String { String(rawValue.trimmingPrefix("STATUS_")) }
}
