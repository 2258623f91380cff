internal import Foundation
internal import GRPC
internal import SubstrateModel
internal import Synchronization

/// The networks of a node's workers: each has a namespace, a cable from it to the node, and rules for what passes there.
///
/// The node reaches the actors, and answers to the node pass. Nothing that an actor begins gets out: not to the node, not to
/// other actors, not to the world. The rules are nftables' of the node, where what runs in the sandbox cannot touch them.
final class NodeNetwork: Sendable {
    /// The node's address at every cable. Link-local, so it means nothing beyond the node.
    static let gateway = "169.254.77.1"

    let names: NetworkNames
    /// Where addresses of actors come from, `a.b.c.d/n`: those that nobody has lead nowhere, rather than out of the node.
    private let subnets: [String]
    private let state = Mutex(State())

    private struct State {
        /// By the workers' pod names. They stay for as long as the agent runs.
        var workers: [String: WorkerNetwork] = [:]
        var next = 0
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
            defer { state.next += 1 }
            return state.next
        }
        guard number < 10_000 else { throw RuntimeFailure(.internal, "the node has no numbers left for networks") }
        let worker = WorkerNetwork(names, number)
        try await worker.create()
        state.withLock { $0.workers[pod] = worker }
        return worker
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

    /// After every other route.
    private static let lastMetric = "4294967295"

    private static func entries(_ directory: String, _ prefix: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter { $0.hasPrefix(prefix) }
    }
}
