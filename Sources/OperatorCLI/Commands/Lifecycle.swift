internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// `resume actor NAME`, `suspend actor NAME`, `pause actor NAME`, `release-hold actor NAME`.
enum Lifecycle {
    static let resume = Command(
        words: ["resume"], summary: "puts an actor on a free worker, from its last snapshot",
        examples: ["resume actor alice", "resume actor alice --boot"],
        flags: { flags in
            flags.toggle("boot", help: "Start from the template rather than from its golden snapshot.")
            Lifecycle.flags(&flags)
        },
        action: action { ref, api, values in
            try await api.call(
                ControlMethods.resumeActor, ResumeActorRequest(actor: ref, boot: values.isSet("boot")))
        })

    static let suspend = Command(
        words: ["suspend"], summary: "writes a snapshot of an actor and frees its worker",
        examples: ["suspend actor alice"], flags: flags,
        action: action { ref, api, _ in
            try await api.call(ControlMethods.suspendActor, SuspendActorRequest(actor: ref))
        })

    static let pause = Command(
        words: ["pause"], summary: "the same as suspend, quicker: the snapshot stays on the actor's node",
        details: "A paused actor is resumed on a worker of that node.",
        examples: ["pause actor alice"], flags: flags,
        action: action { ref, api, _ in
            try await api.call(ControlMethods.pauseActor, PauseActorRequest(actor: ref))
        })

    static let releaseHold = Command(
        words: ["release-hold"], summary: "lets an actor be resumed again whose worker was lost",
        details:
            "Actors of templates with onWorkerLoss: hold stay SUSPENDED after the loss of their worker until this is done.",
        examples: ["release-hold actor alice"], flags: flags,
        action: action { ref, api, _ in
            try await api.call(OperatorMethods.releaseHold, ReleaseHoldRequest(actor: ref))
        })

    @Sendable private static func flags(_ flags: inout Flags) {
        SharedFlags.atespace(&flags)
        SharedFlags.output(&flags)
        SharedFlags.timeout(&flags)
    }

    /// Shows the actor as it is after `change`.
    private static func action(
        _ change: @escaping @Sendable (ActorRef, APIClient, Flags.Values) async throws -> ActorResponse
    ) -> Command.Action {
        .object([.actor]) { _, name, invocation in
            let ref = ActorRef(atespace: invocation.atespace, name: name)
            let response = try await change(ref, try APIClient(invocation), invocation.values)
            try invocation.show(.actors, [response.actor])
        }
    }
}
