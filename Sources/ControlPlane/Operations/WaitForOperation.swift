internal import Etcd
internal import ServiceKit
package import SubstrateModel
package import SubstrateStore

extension ControlPlane {
    /// Does something with an actor, and when another workflow has it in hand, waits for that one and tries again: for callers
    /// who would otherwise do the same by asking again and again.
    ///
    /// What the other has done is its result for this caller too: whoever finds the actor where he wants it does nothing, and
    /// when a resume has failed meanwhile, this one fails with the same reason instead of starting it once more.
    /// - Parameters:
    ///   - waits: whether to wait; otherwise `.operationInProgress` is thrown at once.
    ///   - resumes: whether that is a resume, so that one that fails is its failure too.
    package func waitingForOthers(
        _ ref: ActorRef, _ waits: Bool, resumes: Bool = false, _ body: () async throws(ControlError) -> Stored<Actor>
    ) async throws(ControlError) -> Stored<Actor> {
        // What is in hand may have no operation for a moment, until somebody adopts it: then there is nothing to wait for.
        var backoff = Backoff(from: .milliseconds(20), to: .seconds(1))
        var turns = 0
        while true {
            do {
                return try await body()
            } catch .operationInProgress where waits {
                turns += 1
                if turns > 1 { try await pause(environment.chance.jittered(backoff.pause())) }
                let before = resumes ? try await actor(ref).value.lastFailure : nil
                do { try await store.waitForOperationEnd(ref, clock: environment.clock) } catch {
                    throw ControlError(error)
                }
                if resumes, let failure = try await actor(ref).value.lastFailure, failure != before {
                    throw .failed(failure)
                }
            }
        }
    }

    private func pause(_ duration: Duration) async throws(ControlError) {
        do { try await environment.clock.sleep(for: duration) } catch {
            throw .unavailable("the call was cancelled")
        }
    }
}
