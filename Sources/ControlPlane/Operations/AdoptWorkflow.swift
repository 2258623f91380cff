internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore

/// Brings on an actor that nobody works on: adopts an abandoned operation, and resumes one whose template wants that after
/// the loss of its worker.
struct AdoptWorkflow: Workflow {
    let control: ControlPlane
    let hand: Hand
    let ref: ActorRef

    /// - Returns: whether a worker could not start the actor. That has changed its row, and can come again at once.
    func run() async -> Bool {
        do {
            guard let actor = try await store.actor(ref) else { return false }
            if actor.value.state.isTransitional { _ = try await adopt(actor) }
            if actor.value.isResumeDue {
                _ = try await ResumeWorkflow(control: control, hand: hand, ref: ref, onlyIfDue: true).run(from: actor)
            }
        } catch ControlError.node(let failure) {
            note("\(failure)")
            return true
        } catch {
            note("\(error)")
        }
        return false
    }

    /// Somebody was faster, or the worker is lost and its release follows, or the next sweep tries again.
    private func note(_ reason: String) {
        environment.log.debug(
            "could not bring an actor on, which the next sweep tries again if need be",
            ["actor": .text(ref), "reason": .string(reason)])
    }
}
