internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore

/// Adopts an abandoned actor, if it still is one.
struct AdoptWorkflow: Workflow {
    let control: ControlPlane
    let hand: Hand
    let ref: ActorRef

    func run() async {
        do {
            guard let actor = try await store.actor(ref), actor.value.state.isTransitional else { return }
            _ = try await adopt(actor)
        } catch let error as ControlError {
            note("\(error)")
        } catch {
            note("\(error)")
        }
    }

    /// Somebody was faster, or the worker is lost and its release follows, or the next sweep tries again.
    private func note(_ reason: String) {
        environment.log.debug("did not adopt", ["actor": .text(ref), "reason": .string(reason)])
    }
}
