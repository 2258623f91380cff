internal import GRPC
internal import ServiceKit
internal import SubstrateModel

/// Ends every connection of an actor from outside, so that its memory can be saved.
///
/// The runsc of Debian 12 cannot save a TCP connection that leaves the sandbox, not even the rest of one, which stays for a
/// minute after the actor has closed it, and an actor whose checkpoint fails for that is dead. So each connection that was ever
/// noted gets a SYN as if from its other end. Where one is still known, the sandbox answers with an ACK (RFC 5961), the firewall
/// that with a reset, which has the right number and ends it; what is left of a closed one gives way to the new
/// connection, whose beginning is reset just so. Whether all that has come to pass in the sandbox, an ACK for each tells in the end: it gets a reset
/// where nothing is left.
struct QuietConnections: Sendable {
    let network: WorkerNetwork
    let address: ActorAddress
    /// For the answers of nft, which can be long.
    let directory: String

    /// Rounds until an actor is given up that holds on to connections. One is enough, as a rule.
    private static let rounds = 10
    /// How often to look in one round whether everything has been answered.
    private static let looks = 20

    /// Whether every connection to the actor is known.
    /// - Throws: `RuntimeFailure` when one may not be.
    func checkAllAreKnown() throws(RuntimeFailure) {
        if network.openings.isBlind(network.number) {
            throw RuntimeFailure(
                .unavailable,
                "the node's firewall was reloaded since the actor has been started, and connections that it has made itself before "
                    + "are not known, so its memory cannot be saved: let the node's rules leave the agent's table alone"
            )
        }
        guard let left = network.openings.blindness else { return }
        throw RuntimeFailure(
            .unavailable,
            "the node's firewall was reloaded, and connections of before may not be known, so the actor's memory cannot be "
                + "saved for another \(left.components.seconds + 1) s")
    }

    /// Cuts the actor off from the node. When it returns the sandbox knows of no connection; `WorkerNetwork.open` lets it be
    /// reached again.
    /// - Throws: `RuntimeFailure`.
    func end() async throws(RuntimeFailure) {
        network.openings.set(nil, of: network.number)
        try await nft(Firewall.quiet(network.table, network.number, mark: FlowProbe.mark))
        var left: Set<Flow> = []
        for set in ["flows", "egress"] {
            left.formUnion(try await network.flows(set, in: directory).filter { $0.actor == address.ip })
        }
        let all = left
        for _ in 0..<Self.rounds where !left.isEmpty {
            left = try await ask(left, by: .syn)
            if left.isEmpty { left = try await ask(all, by: .ack) }
        }
        guard left.isEmpty else {
            throw RuntimeFailure(
                .unavailable,
                "\(left.count) connections of the actor cannot be ended, so its memory cannot be saved now")
        }
    }

    /// Asks after connections, which ends them; returns those that were still known then, or that nothing is known of.
    private func ask(_ asked: Set<Flow>, by flag: TCPSegment.Flag) async throws(RuntimeFailure) -> Set<Flow> {
        try await nft(Firewall.forget(network.table, network.number))
        try await BlockingThread.result { () throws(RuntimeFailure) in try FlowProbe.askActor(Array(asked), by: flag) }
        var answered: Set<Flow> = []
        for _ in 0..<Self.looks where !answered.isSuperset(of: asked) {
            // It answers on this machine, at once; unless the machine is busy.
            do { try await Task.sleep(for: .milliseconds(5)) } catch {
                throw RuntimeFailure(.cancelled, "the snapshot was given up")
            }
            answered = Set(try await network.flows("answered", in: directory))
        }
        // Read later, so that what is in the first is in this one, too.
        let alive = Set(try await network.flows("alive", in: directory))
        return asked.filter { !answered.contains($0) || alive.contains($0) }
    }

    private func nft(_ rules: String) async throws(RuntimeFailure) {
        try await ShortCommand.run("nft", [rules], to: "end the connections of \(network.namespace)")
    }
}
