import LocalCluster
import ServiceKit
import SubstrateAPI
import SubstrateModel

/// The story: two agents of a helpdesk, alice and bob, whose conversations are in memory only.
struct Helpdesk {
    let stack: LocalStack
    /// Whether the actors' memory is in their snapshots, and nothing gets out of them.
    let hasMemory: Bool
    private let stage: Stage

    /// The default time to live of a node's lease: how long the workers outlive an agent that was killed.
    private static let leaseTimeToLive: Duration = .seconds(5)

    private static let printer = "My printer has swallowed a sheet, what now?"
    private static let password = "And how do I get a new password?"
    private static let network = "The network is slow today."
    private static let invoice = "When does the invoice come?"

    init(stack: LocalStack, hasMemory: Bool) {
        self.stack = stack
        self.hasMemory = hasMemory
        stage = Stage(stack)
    }

    func tell() async throws {
        try await provision()
        try await list()
        try await coldQuestion()
        try await suspend()
        try await idle()
        try await followUp()
        if hasMemory { try await exfiltrate() }
        try await loseNode()
        try await drainNode()
        try await delete()
    }

    // MARK: The beats

    private func provision() async throws {
        try await stage.beat(1, "alice and bob are provisioned") {
            let manifest = try stack.manifest(of: "examples/helpdesk.yaml")
            try await stage.atectl("apply", "-f", manifest)
            for name in ["alice", "bob"] {
                try await stage.atectl("create", "actor", name, "--template", "default/helpdesk")
                try stage.claim(try await stage.actor(name).status == .suspended, "\(name) is there, SUSPENDED")
            }
        }
    }

    private func list() async throws {
        try await stage.beat(2, "they are listed, and cost nothing yet") {
            let listed = try await stage.atectl("get", "actors", "-o", "name").split(separator: "\n").map(String.init)
            try stage.claim(listed.count == 2, "two actors are listed: \(listed.joined(separator: ", "))")
            try stage.claim(try await stage.workers().allSatisfy { $0.actor == nil }, "all workers are free")
        }
    }

    private func coldQuestion() async throws {
        try await stage.beat(3, "a first question to alice starts her") {
            try await stage.ask("alice", Self.printer, expect: "Open the lid at the back")
            try stage.claim(try await stage.actor("alice").status == .running, "alice is RUNNING")
            try await stage.chat("alice", expect: [Self.printer])
        }
    }

    private func suspend() async throws {
        try await stage.beat(4, "alice is suspended into a snapshot") {
            try await stage.atectl("suspend", "actor", "alice")
            let alice = try await stage.actor("alice")
            try stage.claim(
                alice.status == .suspended && alice.lastSnapshot != nil, "alice is SUSPENDED, with a snapshot")
        }
    }

    private func idle() async throws {
        try await stage.beat(5, "while she is idle, she holds no worker") {
            try stage.claim(try await stage.actor("alice").assignment == nil, "alice has no pod")
            try stage.claim(try await stage.workers().allSatisfy { $0.actor == nil }, "all workers are free")
        }
    }

    private func followUp() async throws {
        try await stage.beat(6, "a follow-up resumes her by itself\(hasMemory ? ", and she remembers" : "")") {
            if hasMemory {
                try await stage.ask("alice", "Do you remember what I asked?", expect: Self.printer)
            } else {
                try await stage.ask("alice", Self.password, expect: "Choose a new one")
            }
            try stage.claim(try await stage.actor("alice").status == .running, "alice is RUNNING again")
        }
    }

    private func exfiltrate() async throws {
        try await stage.beat(7, "bob is talked into sending his conversation away: his sandbox has no way out") {
            try await stage.ask("bob", Self.invoice, expect: "It is sent on the first")
            let collector = try Collector()
            try await collector.whileServing {
                try stage.claim(try await collector.isReached(), "a collector listens at \(collector.target)")
                let before = collector.count
                try await stage.leak("bob", to: collector.target, expect: "there is no way to")
                try stage.claim(collector.count == before, "nothing has arrived there")
            }
        }
    }

    private func loseNode() async throws {
        try await stage.beat(8, "the node under alice is killed with -9; she is answered from another one") {
            // What the last snapshot has, and one question more.
            try await stage.atectl("suspend", "actor", "alice")
            try await stage.settleApart("alice", "bob")
            let questions = try await stage.chat("alice")
            try await stage.ask("alice", Self.network, expect: "Unplug the cable")
            let alice = try await stage.actor("alice")
            let bob = try await stage.actor("bob")
            let bobsChat = try await stage.chat("bob")
            let doomed = try stage.node(of: alice)
            let killed = ContinuousClock.now
            print("  kill -9 of the atelet on \(doomed)")
            await stack.killNode(doomed)
            let released = try await stage.wait(for: "alice", within: Self.leaseTimeToLive + .seconds(6)) {
                $0.status == .suspended
            }
            let took = .now - killed
            try stage.claim(
                took <= Self.leaseTimeToLive + .seconds(1), "alice is SUSPENDED after \(took.short), by itself")
            try stage.claim(
                released.assignment == nil && released.inProgressSnapshot == nil
                    && released.lastSnapshot == alice.lastSnapshot,
                "she has no pod any more, and her last good snapshot")
            if hasMemory {
                try await stage.chat("alice", expect: questions)
            } else {
                try await stage.ask("alice", Self.password, expect: "Choose a new one")
            }
            let node = try stage.node(of: try await stage.actor("alice"))
            try stage.claim(node != doomed, "alice is answered from \(node)")
            try stage.claim(
                try await stage.actor("bob") == bob,
                "bob was not disturbed: his row is the same, version \(bob.version)")
            try await stage.chat("bob", expect: bobsChat)
        }
    }

    private func drainNode() async throws {
        try await stage.beat(9, "the node under alice is drained\(hasMemory ? ": nothing is forgotten" : "")") {
            try await stage.ask("alice", Self.network, expect: "Unplug the cable")
            let questions = try await stage.chat("alice")
            let node = try stage.node(of: try await stage.actor("alice"))
            try await stage.atectl("drain", "node", node)
            if hasMemory {
                try await stage.chat("alice", expect: questions)
            } else {
                try await stage.ask("alice", Self.password, expect: "Choose a new one")
            }
            let next = try stage.node(of: try await stage.actor("alice"))
            try stage.claim(next != node, "alice is answered from \(next)")
        }
    }

    private func delete() async throws {
        try await stage.beat(10, "alice is deleted; bob keeps talking") {
            try await stage.atectl("suspend", "actor", "alice")
            try await stage.atectl("delete", "actor", "alice")
            try await stage.ask("alice", Self.printer, status: 404, expect: "not found")
            try await stage.ask("bob", Self.invoice, expect: "It is sent on the first")
        }
    }
}
