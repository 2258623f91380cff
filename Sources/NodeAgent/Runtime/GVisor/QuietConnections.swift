internal import GRPC
internal import ServiceKit
internal import SubstrateModel

/// Ends every connection of an actor from outside, so that its memory can be saved.
///
/// The runsc of Debian 12 cannot save a TCP connection that leaves the sandbox, not even the rest of one, which stays for a
/// minute after the actor has closed it, and an actor whose checkpoint fails for that is dead. So each connection that was ever
/// noted gets an ACK as if from its other end, with numbers that are not of it. Where nothing is left of it the sandbox answers with a
/// reset. Where one is still known it answers with an ACK (RFC 5961), the firewall that with a reset, which has the right number and
/// ends it. What is left of a closed one takes no reset, but gives way to a new connection: for that it gets a SYN, whose answer is
/// reset just so. All that is repeated until no ACK comes.
struct QuietConnections: Sendable {
    let network: WorkerNetwork
    let address: ActorAddress
    /// For the answers of nft, which can be long.
    let directory: String

    /// Rounds until an actor is given up that holds on to connections. Two are enough, as a rule.
    private static let rounds = 20
    /// Who listens with many connections on their way drops an ACK instead of resetting it. After so many rounds in which the
    /// sandbox has answered, but not for these, there is nothing: a connection would answer twice in a second.
    private static let silentRounds = 4
    private static let pause = Duration.milliseconds(300)
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
        var silence = 0
        for round in 0..<Self.rounds where !left.isEmpty && silence < Self.silentRounds {
            if round > 1 { try await rest() }
            let answers = try await ask(left, by: .ack)
            left = left.filter { !answers.all.contains($0) || answers.alive.contains($0) }
            let known = left.intersection(answers.alive)
            if !known.isEmpty { _ = try await ask(known, by: .syn) }
            silence = known.isEmpty && answers.isSandboxAwake ? silence + 1 : 0
        }
        guard left.isEmpty || silence == Self.silentRounds else {
            throw RuntimeFailure(
                .unavailable,
                "\(left.count) connections of the actor cannot be ended, so its memory cannot be saved now")
        }
    }

    /// What the sandbox has answered.
    private struct Answers {
        var all: Set<Flow>
        /// For which of them it has a connection, or the rest of one.
        var alive: Set<Flow>
        /// Whether it has answered what it got last, to which it always has an answer.
        var isSandboxAwake: Bool
    }

    /// Asks after connections, which ends those that are open.
    private func ask(_ asked: Set<Flow>, by flag: TCPSegment.Flag) async throws(RuntimeFailure) -> Answers {
        // Nobody listens there; and who does answers, too.
        let last = Flow(
            client: ActorAddress(ip: NodeNetwork.gateway, port: 1), actor: ActorAddress(ip: address.ip, port: 1))
        try await nft(Firewall.forget(network.table, network.number))
        try await BlockingThread.result { () throws(RuntimeFailure) in
            try FlowProbe.askActor(Array(asked), by: flag)
            try FlowProbe.askActor([last], by: flag)
        }
        var answered: Set<Flow> = []
        for _ in 0..<Self.looks where !answered.isSuperset(of: asked) {
            // It answers on this machine, at once; unless the machine is busy.
            try await rest(for: .milliseconds(5))
            answered = Set(try await network.flows("answered", in: directory))
        }
        // Read later, so that what is in the first is in this one, too.
        let alive = Set(try await network.flows("alive", in: directory))
        return Answers(all: answered, alive: alive, isSandboxAwake: answered.contains(last))
    }

    private func rest(for duration: Duration = pause) async throws(RuntimeFailure) {
        do { try await Task.sleep(for: duration) } catch {
            throw RuntimeFailure(.cancelled, "the snapshot was given up")
        }
    }

    private func nft(_ rules: String) async throws(RuntimeFailure) {
        try await ShortCommand.run("nft", [rules], to: "end the connections of \(network.namespace)")
    }
}
