import Foundation
import HTTP
import LocalCluster
import Router
import ServiceKit
import SubstrateModel
import TestKit
import Testing

/// Actors of other machines, which their routers pass requests on to.
@Suite struct OtherMachinesTests {
    private let alice = actor("alice")

    /// The proxy of the router that a client connects to, and that of the actor's machine.
    struct Pair: Sendable, CustomTestStringConvertible {
        var near: TestedProxy
        var far: TestedProxy

        var testDescription: String { "\(near) to \(far)" }

        /// Each on either side, and not each with each.
        static let here = [
            Pair(near: .nginx, far: .nginxWithTable), Pair(near: .nginxWithTable, far: .nginx),
            Pair(near: .nginxWithTable, far: .nginxWithTable), Pair(near: .nginx, far: .envoy),
            Pair(near: .envoy, far: .nginxWithTable),
        ].filter { TestedProxy.here.contains($0.near) && TestedProxy.here.contains($0.far) }
    }

    private final class Certificates: Sendable {
        let files: TestCertificates

        init() async throws {
            files = try await TestCertificates()
            try await files.makeAuthority("routers")
            try await files.issue("router", name: "router", alternativeName: "DNS:atenet,IP:127.0.0.1", by: "routers")
            try await files.issue("stranger", name: "router", alternativeName: "DNS:atenet", by: "ca")
            try await files.issue("misnamed", name: "router", alternativeName: "DNS:ateapi", by: "routers")
        }

        func peers(at listen: String?, _ name: String = "router") -> ProxyPeers {
            ProxyPeers(
                listen: listen,
                tls: ProxyPeers.TLS(
                    certificate: files.path("\(name).pem"), privateKey: files.path("\(name).key"),
                    authorities: files.path("routers.pem"), serverName: "atenet"))
        }
    }

    private struct Routers: Sendable {
        var near: RouterHarness
        var far: RouterHarness
        /// Where the far one takes requests of others.
        var address: String
        /// Where the near one would, if anybody connected to it.
        static let near = "127.0.0.1:2"
        /// Of the routers' certificates.
        var authorities: String
    }

    /// Two routers. The near one hears from `api`, and the far one, too, unless it has an API of its own.
    private func withRouters(
        _ pair: Pair, _ api: PlayedAPI, farAPI: PlayedAPI? = nil, nearCertificate: String = "router",
        farCertificate: String = "router", _ body: @Sendable (Routers) async throws -> Void
    ) async throws {
        let certificates = try await Certificates()
        let address = "127.0.0.1:\(try FreePort.find())"
        var near = ResolverOptions()
        near.neighbourhood = Neighbourhood(ownAddress: IPv4Place(Routers.near), passesOn: true)
        near.retryPauses = [.milliseconds(1), .milliseconds(1), .milliseconds(2)]
        var far = near
        far.neighbourhood = Neighbourhood(ownAddress: IPv4Place(address), passesOn: true)
        try await RouterHarness.run(
            pair.far, api: farAPI ?? api, options: far, peers: certificates.peers(at: address, farCertificate)
        ) { [near] far in
            try await RouterHarness.run(
                pair.near, api: api, options: near, peers: certificates.peers(at: nil, nearCertificate)
            ) { near in
                try await body(
                    Routers(near: near, far: far, address: address, authorities: certificates.files.path("routers.pem"))
                )
            }
        }
    }

    private func knows(_ router: RouterHarness, _ destination: String) async throws {
        try await eventually("the router knows that requests go to \(destination)") {
            router.resolver.known.place(of: alice)?.destination.address == destination
        }
    }

    /// Two routers of which the near one believes that alice is on the far one's machine, and the far one knows better.
    private func withNearRouterBehind(
        _ pair: Pair, _ body: @Sendable (Routers, PlayedAPI) async throws -> Void
    ) async throws {
        let api = try PlayedAPI { _ in nowhere }
        let farAPI = try PlayedAPI()
        try await api.serving {
            try await farAPI.serving {
                try await withRouters(pair, api, farAPI: farAPI) { routers in
                    farAPI.place(alice, at: nowhere, behind: "127.0.0.1:1")
                    api.place(alice, at: nowhere, behind: routers.address)
                    try await knows(routers.near, routers.address)
                    try await knows(routers.far, "127.0.0.1:1")
                    try await body(routers, api)
                }
            }
        }
    }

    @Test(arguments: Pair.here) func theRouterOfTheActorsMachinePassesRequestsOn(pair: Pair) async throws {
        let played = try PlayedActor.answering { $0 }
        defer { played.leave() }
        let api = try PlayedAPI()
        try await api.serving {
            try await withRouters(pair, api) { routers in
                api.place(alice, at: played.address, behind: routers.address)
                try await knows(routers.near, routers.address)
                try await knows(routers.far, "\(played.address)")
                for number in 0..<5 {
                    let answer = try await routers.near.send("GET", "/\(number)?a=b", to: "alice")
                    #expect(answer.text.hasPrefix("GET /\(number)?a=b HTTP/1.1\r\n"))
                    // It looks like a request that has come to the router of the machine.
                    let lines = answer.text.lowercased().split(separator: "\r\n")
                    // Envoy names the machine instead of loopback.
                    #expect(lines.count { $0.hasPrefix("x-forwarded-for: ") && !$0.contains(",") } == 1, "\(lines)")
                    #expect(lines.contains("x-forwarded-proto: http"))
                    #expect(lines.contains { $0.hasPrefix("host: alice.") })
                }
                let body = [UInt8]((0..<90_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
                let answer = try await routers.near.send("POST", to: "alice", body: body)
                #expect(answer.text.hasSuffix("\(BodyDigest(body))"))
                #expect(api.resumes.count == 0)
                // nginx tells later of those whom it has looked up itself.
                for router in [routers.near, routers.far] {
                    try await eventually("all were known") { router.resolver.counters.answeredFromTable == 6 }
                }
                // Nobody else has connected to the actor.
                #expect(played.connections.count == 6)
            }
        }
    }

    /// The answer to the resume says where it is, before the stream does.
    @Test(arguments: Pair.here) func anActorThatIsBroughtUpOnAnotherMachineIsFollowed(pair: Pair) async throws {
        let played = try PlayedActor.answering { _ in "here" }
        defer { played.leave() }
        let there = played.address
        let api = try PlayedAPI { _ in there }
        try await api.serving {
            try await withRouters(pair, api) { routers in
                api.place(alice, at: nil, behind: routers.address)
                let answer = try await routers.near.send(to: "alice")
                #expect(answer.text == "here")
                // The far one asks for itself: what another router says is not believed.
                #expect(api.resumes.count == 2)
            }
        }
    }

    @Test(arguments: Pair.here) func bodiesEventsAndWebSocketsPassAsTheyCome(pair: Pair) async throws {
        let played = try PlayedActor { head, connection in
            let isSocket = head.lowercased().contains("upgrade: websocket")
            try connection.send(
                isSocket
                    ? "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                    : "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            for _ in 0..<3 { try connection.send("echo " + connection.receive(until: ".")) }
        }
        defer { played.leave() }
        let api = try PlayedAPI()
        try await api.serving {
            try await withRouters(pair, api) { routers in
                api.place(alice, at: played.address, behind: routers.address)
                try await knows(routers.near, routers.address)
                let heads = [
                    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                        + "dGhlIHNhbXBsZSBub25jZQ==\r\n",
                    "Content-Length: 1000000\r\n",
                ]
                for head in heads {
                    let connection = try RawConnection(to: routers.near.address)
                    try connection.send("GET / HTTP/1.1\r\nHost: alice.\(RouterHarness.domain)\r\n\(head)\r\n")
                    // What is sent later is answered before more is sent.
                    for text in ["one.", "two.", "three."] {
                        try connection.send(text)
                        _ = try connection.receive(until: "echo \(text)")
                    }
                }
            }
        }
    }

    /// The near router has not heard yet; the far one has, and passes nothing on.
    @Test(arguments: Pair.here) func anActorThatHasLeftTheMachineIsLookedUpAgain(pair: Pair) async throws {
        let played = try PlayedActor.answering { "\($0.prefix(4))" }
        defer { played.leave() }
        let there = played.address
        try await withNearRouterBehind(pair) { routers, api in
            api.onResume { _ in
                api.place(alice, at: there, behind: Routers.near)
                return there
            }
            let body = [UInt8]((0..<90_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            let answer = try await routers.near.send("POST", to: "alice", body: body)
            #expect(answer.status == 200 && answer.text == "POST\(BodyDigest(body))")
            #expect(api.resumes.count == 1 && routers.near.resolver.counters.failedConnections == 1)
            #expect(played.connections.count == 1)
        }
    }

    @Test(arguments: Pair.here) func oneThatIsToldToTryElsewhereAgainAndAgainGivesUp(pair: Pair) async throws {
        try await withNearRouterBehind(pair) { routers, api in
            let answer = try await routers.near.send("POST", to: "alice", body: [1, 2, 3])
            #expect(answer.status == 503 && answer.text == "\(Resolution.unreachableText)\n")
            // Of a streamed body something may be gone already.
            let streamed = try await routers.near.send(
                "POST", to: "alice", body: [UInt8](repeating: 1, count: 200_000))
            #expect(streamed.status == 503)
            for answer in [answer, streamed] { #expect(answer.headers["x-accel-redirect"] == nil) }
        }
    }

    @Test(arguments: Pair.here) func aMachineThatIsGoneIsGivenUp(pair: Pair) async throws {
        let api = try PlayedAPI { _ in nowhere }
        try await api.serving {
            try await withRouters(pair, api) { routers in
                api.place(alice, at: nowhere, behind: "127.0.0.1:1")
                try await knows(routers.near, "127.0.0.1:1")
                for size in [3, 200_000] {
                    let answer = try await routers.near.send(
                        "POST", to: "alice", body: [UInt8](repeating: 1, count: size))
                    #expect(answer.status == 503 && answer.text == "\(Resolution.unreachableText)\n")
                }
            }
        }
    }

    @Test(arguments: Pair.here) func onlyRoutersAreLetIn(pair: Pair) async throws {
        let played = try PlayedActor.answering { _ in "here" }
        defer { played.leave() }
        let api = try PlayedAPI()
        let there = played.address
        try await api.serving {
            for (near, far) in [("stranger", "router"), ("router", "stranger"), ("router", "misnamed")] {
                try await withRouters(pair, api, nearCertificate: near, farCertificate: far) { routers in
                    api.place(alice, at: there, behind: routers.address)
                    try await knows(routers.near, routers.address)
                    let answer = try await routers.near.send(to: "alice")
                    #expect(answer.status >= 400, "\(near) to \(far)")
                    let bare = try? await HTTPClient.send(
                        "GET", "https://\(routers.address)/", headers: ["Host": "alice.\(RouterHarness.domain)"],
                        timeout: .seconds(10), over: .tls(authorities: routers.authorities))
                    // nginx answers, though it lets nobody in.
                    #expect(bare == nil || bare?.status == 503)
                }
            }
            #expect(played.connections.count == 0)
        }
    }

    @Test(arguments: TestedProxy.here) func whoCannotPassOnSaysSo(proxy: TestedProxy) async throws {
        let api = try PlayedAPI()
        try await api.serving {
            try await RouterHarness.run(proxy, api: api) { router in
                api.place(alice, at: nowhere, behind: "10.0.0.7:8443")
                try await knows(router, "10.0.0.7:8443")
                let answer = try await router.send(to: "alice")
                #expect(answer.status == 503)
                let text = "actor \"alice\" runs on another machine, and this router has no certificate for routers\n"
                #expect(answer.text == text)
            }
        }
    }

    /// nginx would do what these headers say.
    @Test(arguments: Pair.here) func whatActorsSayToProxiesIsNotObeyed(pair: Pair) async throws {
        let played = try PlayedActor { _, connection in
            try connection.send(
                "HTTP/1.1 200 OK\r\nX-Accel-Redirect: @elsewhere\r\nX-Accel-Buffering: yes\r\nX-Accel-Limit-Rate: 1\r\nContent-Length: 4\r\n"
                    + "Connection: close\r\n\r\nhere")
        }
        defer { played.leave() }
        let api = try PlayedAPI()
        try await api.serving {
            try await withRouters(pair, api) { routers in
                api.place(alice, at: played.address, behind: routers.address)
                try await knows(routers.near, routers.address)
                try await knows(routers.far, "\(played.address)")
                for router in [routers.near, routers.far] {
                    let before = played.connections.count
                    let answer = try await router.send(to: "alice")
                    #expect(answer.text == "here")
                    #expect(played.connections.count == before + 1 && api.resumes.count == 0)
                }
            }
        }
    }

    /// After the far router has said that the actor is elsewhere, the place that ateapi names is not there yet.
    @Test(arguments: Pair.here) func aPlaceThatRefusesAfterThatIsTriedAgain(pair: Pair) async throws {
        try await withNearRouterBehind(pair) { routers, api in
            api.onResume { _ in
                api.place(alice, at: nowhere, behind: "127.0.0.1:1")
                return nowhere
            }
            let answer = try await routers.near.send("POST", to: "alice", body: [1, 2, 3])
            #expect(answer.status == 503 && answer.text == "\(Resolution.unreachableText)\n")
            #expect(api.resumes.count >= 2)
        }
    }

    /// The address that an agent has is one for clients.
    @Test(arguments: TestedProxy.here) func aRequestDoesNotGoInCircles(proxy: TestedProxy) async throws {
        let api = try PlayedAPI()
        var options = ResolverOptions()
        options.neighbourhood = Neighbourhood(passesOn: true)
        try await api.serving {
            // Plain text, since clients of this router show no certificates.
            let peers = ProxyPeers(listen: nil, tls: nil)
            try await RouterHarness.run(proxy, api: api, options: options, peers: peers) { router in
                api.place(alice, at: nowhere, behind: router.address)
                try await knows(router, router.address)
                let answer = try await router.send(to: "alice")
                #expect(answer.status == 508)
                #expect(answer.text.hasPrefix("a router has sent this where only clients send requests"))
            }
        }
    }

    /// Its agent does not say, or its worker has just been lost. An address alone could be another actor's here.
    @Test(arguments: TestedProxy.here) func anActorOfWhichNobodySaysTheMachineIsNotReached(proxy: TestedProxy)
        async throws
    {
        let stranger = try PlayedActor.answering { _ in "stranger" }
        defer { stranger.leave() }
        let there = stranger.address
        let api = try PlayedAPI { _ in there }
        var options = ResolverOptions()
        options.neighbourhood = Neighbourhood(passesOn: true)
        options.firstPause = .milliseconds(1)
        let attempts = options.attempts
        let peers = ProxyPeers(listen: nil, tls: nil)
        try await api.serving {
            try await RouterHarness.run(proxy, api: api, options: options, peers: peers) { router in
                for address in [nil, "unix:/tmp/x", "10.0.0.7:8443/path"] {
                    api.place(alice, at: there, behind: address)
                    let before = api.resumes.count
                    let answer = try await router.send(to: "alice")
                    #expect(answer.status == 503 && answer.text.contains("it is not known on which machine"))
                    #expect(api.resumes.count == before + attempts)
                }
                #expect(stranger.connections.count == 0)
            }
        }
    }
}
