import Foundation
import Glibc
import Processes
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// The firewall's rules in a network of their own, with plain processes in the place of actors: the node is a namespace that
/// forwards packets, with a cable each to alice, bob and the world.
@Suite(.enabled(if: GVisorFixture.obstacle == nil, "it needs root, nft and python3: see GVisorFixture.obstacle"))
struct FirewallTests {
    private let id = String(UUID().uuidString.lowercased().prefix(8))
    private var names: NetworkNames { NetworkNames(directoryID: id) }
    private var node: String { "fw-\(id)-node" }
    private let alice = "198.18.0.1"
    private let bob = "198.18.0.2"
    private let world = "198.18.1.1"

    private func namespace(_ name: String) -> String { "fw-\(id)-\(name)" }

    /// Runs `body` with everything connected as on a node that forwards, without rules.
    private func connected(_ body: () async throws -> Void) async throws {
        let devices = [("alice", names.device(0), alice), ("bob", names.device(1), bob), ("world", "world0", world)]
        try await ShortCommand.script(
            "ip netns add $1; ip -n $1 link set lo up; ip netns exec $1 sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'",
            [node], to: "make the node")
        do {
            for (name, device, address) in devices {
                try await ShortCommand.script(
                    """
                    ip netns add $2
                    ip -n $1 link add $3 type veth peer name eth0 netns $2
                    ip -n $1 address add \(NodeNetwork.gateway)/32 dev $3
                    ip -n $1 link set $3 up
                    ip -n $1 route add $4/32 via $5 dev $3 onlink src \(NodeNetwork.gateway)
                    ip -n $2 link set lo up
                    ip -n $2 link set eth0 up
                    ip -n $2 address add $4/32 dev eth0
                    [ $4 = $5 ] || ip -n $2 address add $5/32 dev eth0
                    ip -n $2 route add \(NodeNetwork.gateway)/32 dev eth0
                    ip -n $2 route add default via \(NodeNetwork.gateway)
                    """, [node, namespace(name), device, address, name == "world" ? address : NodeNetwork.inside],
                    to: "connect \(name)")
            }
            let servers = [try await server("alice"), try await server("bob"), try await server("world")]
            try await body()
            for server in servers { await server.killAndWait() }
        } catch {
            await remove()
            throw error
        }
        await remove()
    }

    private func remove() async {
        for name in ["alice", "bob", "world", "node"] {
            _ = try? await ShortCommand.run("ip", ["netns", "delete", namespace(name)], to: "remove a namespace")
        }
    }

    private func server(_ name: String) async throws -> ChildProcess {
        let program = """
            import socket, threading
            def answer():
                datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); datagrams.bind(("0.0.0.0", 80))
                while True: datagrams.sendto(b"answer", datagrams.recvfrom(10)[1])
            threading.Thread(target=answer, daemon=True).start()
            server = socket.create_server(("0.0.0.0", 80))
            while True: server.accept()[0].close()
            """
        let server = try await ChildProcess.start(
            Command(
                "ip", ["netns", "exec", namespace(name), "/usr/bin/python3", "-c", program],
                environment: ShortCommand.path))
        try await eventually("\(name) listens") { await reaches(name, "127.0.0.1") }
        return server
    }

    /// Whether whoever is in the namespace can connect to the address.
    private func reaches(_ name: String, _ address: String) async -> Bool {
        let program = "import socket, sys; socket.create_connection((sys.argv[1], 80), 2)"
        return
            (try? await ShortCommand.run(
                "ip", ["netns", "exec", namespace(name), "/usr/bin/python3", "-c", program, address], to: "connect"))
            != nil
    }

    private func nft(_ rules: String) async throws {
        try await ShortCommand.run("ip", ["netns", "exec", node, "nft", rules], to: "change the rules")
    }

    /// Makes sandboxes of alice and bob, which reach nothing.
    private func makeRules() async throws {
        try await nft(Firewall.table(names))
        for (number, (name, address)) in [("alice", alice), ("bob", bob)].enumerated() {
            // As sandboxes have it.
            try await ShortCommand.run(
                "ip", ["-n", namespace(name), "address", "delete", "\(address)/32", "dev", "eth0"],
                to: "leave the actor with the address that all have")
            try await nft(Firewall.newWorker(names.table, number, device: names.device(number)))
            #expect(await !reaches("node", address))
            try await nft(Firewall.open(names.table, number, Opening(address: address), closedTo: []))
        }
    }

    @Test func onANodeThatForwardsActorsAreReachedByTheNodeAloneAndReachNobody() async throws {
        try await connected {
            // Without the rules everything here is reached from everywhere.
            for (from, to) in [("alice", bob), ("world", bob), ("alice", world), ("node", bob)] {
                #expect(await reaches(from, to), "\(from) to \(to)")
            }
            try await makeRules()
            #expect(await reaches("node", alice))
            #expect(await reaches("node", bob))
            for (from, to) in [("alice", bob), ("bob", alice), ("world", bob), ("alice", world)] {
                #expect(await !reaches(from, to), "\(from) to \(to)")
            }
            #expect(await reaches("node", world))
        }
    }

    @Test func anActorReachesWhatItsTemplateAllowsAndNothingElse() async throws {
        try await connected {
            try await makeRules()
            func allow(_ rules: EgressRule...) async throws {
                let opening = Opening(address: alice, egress: rules)
                try await nft(Firewall.open(names.table, 0, opening, closedTo: ["198.18.0.0/24"]))
            }
            #expect(await !reaches("alice", world))
            try await allow(EgressRule(subnet: "\(world)/32", ports: [80, 443]))
            #expect(await reaches("alice", world))
            // It is seen where it is noted, by the address that it has outside.
            let noted = try await ShortCommand.run(
                "ip", ["netns", "exec", node, "nft", "-n", "list", "set", "inet", names.table, "egress_0"], to: "list")
            let flows = try #require(Flow.all(in: noted))
            #expect(flows.contains { $0.client == world && $0.clientPort == 80 && $0.actor == alice })
            try await allow(EgressRule(subnet: "0.0.0.0/0"))
            #expect(await reaches("alice", world))
            // Whatever is allowed: other actors, the node, and back.
            for (from, to) in [
                ("alice", bob), ("alice", NodeNetwork.gateway), ("world", alice), ("bob", world), ("world", bob),
            ] {
                #expect(await !reaches(from, to), "\(from) to \(to)")
            }
            #expect(await reaches("node", alice))
            try await allow(EgressRule(subnet: "\(world)/32", ports: [443]))
            #expect(await !reaches("alice", world))
            try await allow(EgressRule(subnet: "\(world)/32", transport: .udp, ports: [80]))
            #expect(await !reaches("alice", world))
            #expect(try await answersByUDP("alice", world))
            try await nft(Firewall.closed(names.table, 0))
            #expect(await !reaches("node", alice))
        }
    }

    /// Whether the server in `world` answers a datagram.
    private func answersByUDP(_ name: String, _ address: String) async throws -> Bool {
        let program = """
            import socket, sys
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2)
            s.sendto(b"a", (sys.argv[1], 80)); print(s.recv(10))
            """
        return try await ShortCommand.run(
            "ip", ["netns", "exec", namespace(name), "/usr/bin/python3", "-c", program, address], to: "ask"
        ).contains("answer")
    }
}
