internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// `resume actor NAME`, `suspend actor NAME`, `pause actor NAME`.
struct Lifecycle {
    static func resume(_ context: CommandContext) async throws {
        var context = context
        let ref = try takeActor(&context, verb: "resume")
        let request = ResumeActorRequest(actor: ref, boot: context.values.isSet("boot"))
        context.show(.actors([try await context.call(ControlMethods.resumeActor, request).actor]))
    }

    static func suspend(_ context: CommandContext) async throws {
        var context = context
        let ref = try takeActor(&context, verb: "suspend")
        let request = SuspendActorRequest(actor: ref)
        context.show(.actors([try await context.call(ControlMethods.suspendActor, request).actor]))
    }

    static func pause(_ context: CommandContext) async throws {
        var context = context
        let ref = try takeActor(&context, verb: "pause")
        let request = PauseActorRequest(actor: ref)
        context.show(.actors([try await context.call(ControlMethods.pauseActor, request).actor]))
    }

    private static func takeActor(_ context: inout CommandContext, verb: String) throws -> ActorRef {
        _ = try context.takeKind(["actor"], verb: verb)
        return ActorRef(atespace: context.atespace, name: try context.takeName("actor"))
    }
}
