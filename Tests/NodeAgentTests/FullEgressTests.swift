import Foundation
import Processes
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// Actors in gVisor that may reach something, on a node that forwards: a network namespace of the test's own, in which it runs
/// itself once more. With SUBSTRATE_FULL_TESTS=1.
@Suite(
    .serialized,
    .enabled(
        if: GVisorFixture.obstacle == nil && ProcessInfo.processInfo.environment["SUBSTRATE_FULL_TESTS"] == "1",
        "needs SUBSTRATE_FULL_TESTS=1, root and runsc"))
struct FullEgressTests {
    private static let variable = "SUBSTRATE_EGRESS_TEST"
    private static let isInside = ProcessInfo.processInfo.environment[variable] != nil
    private static let world = "198.51.100.2"

    @Test(.enabled(if: !isInside)) func anActorGoesOnThatHasConnectedToTheWorld() async throws {
        let id = UUID().uuidString.lowercased().prefix(8)
        let (node, world) = ("fe-\(id)-node", "fe-\(id)-world")
        try await ShortCommand.script(
            """
            ip netns add $1
            ip netns add $2
            ip -n $1 link add world type veth peer name node netns $2
            for name in "$1 world 198.51.100.1" "$2 node \(Self.world)"; do
                set -- "$1" "$2" $name
                ip -n $3 link set lo up
                ip -n $3 link set $4 up
                ip -n $3 address add $5/24 dev $4
            done
            ip netns exec $1 sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
            """, [node, world], to: "make the node and the world")
        let server = try await ChildProcess.start(
            Command(
                "ip",
                [
                    "netns", "exec", world, "/usr/bin/python3", "-c",
                    """
                    import socket, threading
                    def serve(connection):
                        while data := connection.recv(10): connection.sendall(data + b" answered")
                    server = socket.create_server(("0.0.0.0", 80))
                    while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
                    """,
                ], environment: ShortCommand.path))
        var environment = ProcessInfo.processInfo.environment
        environment[Self.variable] = "1"
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
        let inside = try await ChildProcess.start(
            Command(
                "nsenter",
                [
                    "--net=/run/netns/\(node)", program, "--testing-library", "swift-testing", "--filter",
                    "FullEgressTests.insideTheNode",
                ], environment: environment))
        let status = await inside.wait()
        await server.killAndWait()
        try await ShortCommand.script(
            "ip netns delete $1; ip netns delete $2", [node, world], to: "remove the node and the world")
        #expect(status == .exited(code: 0))
    }

    @Test(.enabled(if: isInside)) func insideTheNode() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            func start(_ epoch: Int64, from snapshot: SnapshotURI? = nil) async throws -> GVisorActor {
                var activation = fixture.activation(epoch, from: snapshot)
                activation.workload.sandboxRules.egress = [EgressRule(subnet: "\(Self.world)/32", ports: [80])]
                return GVisorActor(sandbox: try await fixture.runtime.start(activation), activation: activation)
            }
            let before = try await start(1)
            _ = try await before.ask("/remember?one")
            #expect(try await before.ask("/connect?\(Self.world):80") == "a answered")
            #expect(try await before.ask("/reach?\(Self.world):81") != "reached")
            #expect(try await before.ask("/reach?198.51.100.1:80") != "reached")
            try await before.sandbox.checkpoint(to: fixture.uri("a"), .full, if: nil)
            let after = try await start(2, from: fixture.uri("a"))
            #expect(try await after.ask("/words") == "one")
            #expect(try await after.ask("/receive") == "ConnectionResetError")
            #expect(try await after.ask("/connect?\(Self.world):80") == "a answered")
            // Its firewall has been made anew: nobody knows what the actor is connected to.
            try await ShortCommand.run(
                "nft", ["delete", "table", "inet", fixture.runtime.network.names.table], to: "reload")
            #expect(try await fixture.runtime.network.repair())
            let failure = await #expect(throws: RuntimeFailure.self) {
                try await after.sandbox.checkpoint(to: fixture.uri("b"), .full, if: nil)
            }
            #expect(failure?.reason.contains("connections that it has made itself") == true)
            #expect(try await after.ask("/words") == "one")
            await after.sandbox.kill()
        }
    }
}
