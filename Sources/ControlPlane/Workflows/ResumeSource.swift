internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore

/// What a resume starts an actor from.
enum ResumeSource: Sendable {
    /// The snapshot on a node, so only a worker of that node will do, whatever its name is now.
    case local(LocalSnapshot, nodes: Set<String>)
    /// The last external snapshot, or the template where there is none. The fallback says why it is not the local snapshot,
    /// when the actor has one.
    case anywhere(Fallback?)

    var local: LocalSnapshot? { if case .local(let local, _) = self { local } else { nil } }
    var nodes: Set<String>? { if case .local(_, let nodes) = self { nodes } else { nil } }
    var fallback: Fallback? { if case .anywhere(let fallback) = self { fallback } else { nil } }
}

extension ResumeWorkflow {
    /// The newest snapshot that can be had.
    /// - Parameter missing: a local snapshot of which its node has said that it does not have it.
    func source(of actor: Actor, missing: LocalSnapshot?) async throws(ControlError) -> ResumeSource {
        guard let local = actor.localSnapshot else { return .anywhere(nil) }
        if local == missing { return .anywhere(fallback(from: local, .snapshotMissing)) }
        var nodes = inventory.nodes(withDirectory: local.directoryID)
        if nodes.isEmpty {
            // Giving the snapshot up loses what the actor has done since the external one: not on the word of a watch that
            // lags.
            do { inventory.take(try await store.listWorkers()) } catch { throw ControlError(error) }
            await waitForNode(of: local)
            nodes = inventory.nodes(withDirectory: local.directoryID)
        }
        return nodes.isEmpty ? .anywhere(fallback(from: local, .nodeGone)) : .local(local, nodes: nodes)
    }

    /// An agent that is restarted has withdrawn its workers for a moment, and has the snapshot when it is back.
    private func waitForNode(of local: LocalSnapshot) async {
        await withTaskGroup { group in
            group.addTask { await inventory.waitForNode(withDirectory: local.directoryID) }
            group.addTask { try? await environment.clock.sleep(for: control.options.nodeReturnLimit) }
            await group.next()
            group.cancelAll()
        }
    }

    private func fallback(from local: LocalSnapshot, _ reason: Fallback.Reason) -> Fallback {
        Fallback(snapshot: local, reason: reason, atMilliseconds: environment.wallClock())
    }

    /// Says that the actor has lost what it did since its last external snapshot.
    func note(_ fallback: Fallback, of actor: Actor) {
        environment.log.warning(
            "resuming an actor without its local snapshot",
            [
                "actor": .text(ref), "reason": .string(fallback.reason.rawValue),
                "node": .string(fallback.snapshot.node), "local snapshot": .text(fallback.snapshot.name),
                "instead": .string(actor.lastSnapshot?.text ?? "a fresh start"),
            ])
    }
}
