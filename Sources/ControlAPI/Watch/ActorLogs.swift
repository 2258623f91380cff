internal import ControlPlane
internal import SubstrateAPI
internal import SubstrateModel

extension ControlServices {
    /// What the actor writes; with `follow` wherever it runs, until it is deleted.
    @Sendable func actorLogs(_ request: ActorLogsRequest, _ writer: ResponseWriter<LogLines>) async throws {
        try Validation.lookup(request.actor)
        if let after = request.after {
            try Validation.notNegative(after.epoch.revision, "after_epoch")
            try Validation.notNegative(after.line, "after_position")
        }
        try await control.readOutput(
            of: request.actor, follow: request.follow, tail: request.tail, after: request.after
        ) { try await writer.send($0) }
    }
}
