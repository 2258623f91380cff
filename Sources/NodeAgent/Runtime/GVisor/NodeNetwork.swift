internal import Foundation
internal import GRPC
internal import ServiceKit
internal import SubstrateModel
internal import Synchronization

/// The networks of a node's workers: each has a namespace, a cable from it to the node, and rules for what passes there.
///
/// The node reaches the actors, and answers to the node pass. Nothing that an actor begins gets out, but to where its template
/// allows: not to the node, not to other actors, not to the world. The rules are nftables' of the node, where what runs in the
/// sandbox cannot touch them.
final class NodeNetwork: Sendable {
    /// The node's address at every cable. Link-local, so it means nothing beyond the node.
    static let gateway = "169.254.77.1"
    /// Every actor's own address, as it sees it, wherever it goes on: sockets in its memory may be bound to it.
    static let inside = "169.254.77.2"

    let names: NetworkNames
    /// Where addresses of actors come from, `a.b.c.d/n`: those that nobody has lead nowhere, rather than out of the node.
    private let subnets: [String]
    private let state = Mutex(State())
    let openings = Openings()

    private struct State {
        /// By the workers' pod names. They stay for as long as the agent runs.
        var workers: [String: WorkerNetwork] = [:]
        var next = 0
        /// Numbers below that nothing has.
        var free: [Int] = []
    }

    init(directoryID: String, subnets: [String]) {
        names = NetworkNames(directoryID: directoryID)
        self.subnets = subnets
    }

    /// The worker's network, made when it is first asked for. For one task at a time for each worker.
    /// - Throws: `RuntimeFailure`.
    func worker(_ pod: String) async throws(RuntimeFailure) -> WorkerNetwork {
        if let known = state.withLock({ $0.workers[pod] }) { return known }
        let number = state.withLock { state in
            if let free = state.free.popLast() { return free }
            defer { state.next += 1 }
            return state.next
        }
        guard number < 10_000 else { throw RuntimeFailure(.internal, "the node has no numbers left for networks") }
        let worker = WorkerNetwork(names, number, openings, subnets)
        // From before it is made, so that its rules are made anew whenever they are gone.
        state.withLock { $0.workers[pod] = worker }
        do throws(RuntimeFailure) { try await worker.create() } catch {
            state.withLock { state in
                state.workers[pod] = nil
                state.free.append(number)
            }
            throw error
        }
        return worker
    }

    /// Makes the rules anew when somebody has removed them, as a reload of the node's own firewall does: until then actors reach
    /// what the node does. Connections that this node has are known again. Those that actors have closed are not, nor what
    /// came and went meanwhile, so for as long as they last no memory is saved.
    /// - Returns: whether the rules were gone.
    /// - Throws: `RuntimeFailure`.
    func repair() async throws(RuntimeFailure) -> Bool {
        let tables = try await ShortCommand.run(
            "nft", ["list", "tables", "inet"], to: "look for the firewall's table \(names.table)")
        if tables.split(separator: "\n").contains("table inet \(names.table)") { return false }
        openings.areUnknown(for: Firewall.closedLimit)
        // With the table alone all workers are closed.
        try await nft(Firewall.table(names))
        let workers = state.withLock { $0.workers.values.sorted { $0.number < $1.number } }
        for worker in workers { try await nft(Firewall.newWorker(names.table, worker.number, device: worker.device)) }
        let flows = try await BlockingThread.result { () throws(RuntimeFailure) in try Connections.all() }
        for worker in workers {
            guard let opening = openings.opening(of: worker.number) else { continue }
            let own = Array(flows.filter { $0.actor == opening.address }.prefix(Firewall.maximumFlows))
            for start in stride(from: 0, to: own.count, by: Self.flowsAtOnce) {
                let some = own[start..<min(start + Self.flowsAtOnce, own.count)]
                try await nft(Firewall.note(names.table, worker.number, some))
            }
            try await nft(Firewall.open(names.table, worker.number, opening, closedTo: subnets))
            // It may have been closed between.
            if openings.opening(of: worker.number) != opening {
                try await nft(Firewall.closed(names.table, worker.number))
            }
        }
        openings.areUnknown(for: Firewall.closedLimit)
        return true
    }

    /// As many as one argument of a program has room for.
    private static let flowsAtOnce = 1000

    private func nft(_ rules: String) async throws(RuntimeFailure) {
        try await ShortCommand.run("nft", [rules], to: "make the rules of the firewall's table \(names.table) anew")
    }

    /// Makes the table of rules, and has unused addresses lead nowhere. Once, when nothing of an earlier agent is left.
    /// - Throws: `RuntimeFailure`.
    func begin() async throws(RuntimeFailure) {
        try await ShortCommand.run("nft", [Firewall.table(names)], to: "make the firewall's table \(names.table)")
        for subnet in subnets {
            try await ShortCommand.run(
                "ip", ["route", "replace", "unreachable", subnet, "metric", Self.lastMetric],
                to: "keep requests to \(subnet) on this node")
        }
    }

    /// Removes everything, also what an earlier agent has left. Only when no actor runs.
    /// - Throws: `RuntimeFailure`.
    func removeAll() async throws(RuntimeFailure) {
        state.withLock { $0 = State() }
        openings.reset()
        for name in Self.entries("/run/netns", names.namespacePrefix) {
            try await ShortCommand.run("ip", ["netns", "delete", name], to: "remove the network namespace \(name)")
        }
        // With the namespace the kernel removes it, too, but some time later.
        for name in Self.entries("/sys/class/net", names.devicePrefix) {
            _ = try? await ShortCommand.run("ip", ["link", "delete", name], to: "remove the network device \(name)")
        }
        // Deleting what is not there is an error unless it is made first.
        try await ShortCommand.run(
            "nft", ["add table inet \(names.table); delete table inet \(names.table)"],
            to: "remove the firewall's table \(names.table)")
        for subnet in subnets {
            _ = try? await ShortCommand.run(
                "ip", ["route", "delete", "unreachable", subnet, "metric", Self.lastMetric], to: "remove a route")
        }
    }

    /// Whether an agent with the same state directory has left something of a worker.
    var hasLeftovers: Bool {
        !Self.entries("/run/netns", names.namespacePrefix).isEmpty
            || !Self.entries("/sys/class/net", names.devicePrefix).isEmpty
    }

    /// After every other route.
    private static let lastMetric = "4294967295"

    private static func entries(_ directory: String, _ prefix: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter { $0.hasPrefix(prefix) }
    }
}
