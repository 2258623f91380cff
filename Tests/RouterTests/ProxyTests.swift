import Foundation
import GRPC
import HTTP
import LocalCluster
import Router
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

/// What is to hold whatever the proxy is.
@Suite struct ProxyTests {
    private let alice = actor("alice")

    /// Says why, where the others have nginx alone.
    @Test(.enabled(if: TestedProxy.envoyProgram != nil, "there is no Envoy here; scripts/deps envoy installs it"))
    func envoyIsAmongThem() { #expect(TestedProxy.here.contains(.envoy)) }

    /// A router that knows that alice runs at a place, and resumes of her that lead to another.
    private func withKnownActor(
        _ proxy: TestedProxy, at place: ActorAddress, resume: @escaping PlayedAPI.Resume = { _ in nowhere },
        options: ResolverOptions = ResolverOptions(),
        _ body: @Sendable (RouterHarness, PlayedAPI) async throws -> Void
    ) async throws {
        try await RouterHarness.run(proxy, options: options, resume: resume) { router, api in
            api.place(alice, at: place)
            try await router.knows(alice, at: place)
            try await body(router, api)
        }
    }

    @Test(arguments: TestedProxy.here) func anActorThatIsKnownToRunIsReachedWithoutACall(proxy: TestedProxy)
        async throws
    {
        let played = try PlayedActor.answering { "\($0.prefix { $0 != "\r\n" })" }
        defer { played.leave() }
        try await withKnownActor(proxy, at: played.address) { router, api in
            for number in 0..<20 {
                let response = try await router.send("GET", "/\(number)?a=b", to: "alice")
                #expect(response.text == "GET /\(number)?a=b HTTP/1.1")
            }
            try await eventually("all were known") { router.resolver.counters.answeredFromTable == 20 }
            #expect(api.resumes.count == 0)
            try await eventually("ateapi hears of it") { !api.reported.isEmpty }
            #expect(Set(api.reported.map(\.uid)) == ["uid-of-alice"])
        }
    }

    @Test(arguments: TestedProxy.here) func anActorThatMovesIsFollowed(proxy: TestedProxy) async throws {
        let first = try PlayedActor.answering { _ in "first" }
        let second = try PlayedActor.answering { _ in "second" }
        defer { second.leave() }
        try await withKnownActor(proxy, at: first.address) { router, api in
            #expect(try await router.send(to: "alice").text == "first")
            first.leave()
            api.place(alice, at: second.address)
            try await router.knows(alice, at: second.address)
            #expect(try await router.send(to: "alice").text == "second")
            #expect(api.resumes.count == 0)
        }
    }

    @Test(arguments: TestedProxy.here) func anActorThatSomebodyHasInHandIsAskedFor(proxy: TestedProxy) async throws {
        let played = try PlayedActor.answering { _ in "here" }
        defer { played.leave() }
        let here = played.address
        try await withKnownActor(proxy, at: here, resume: { _ in here }) { router, api in
            api.place(alice, at: here, isReady: false)
            try await eventually("the router knows") { router.resolver.known.place(of: alice) == nil }
            #expect(try await router.send(to: "alice").text == "here")
            #expect(api.resumes.count == 1)
        }
    }

    /// The destination has just gone stale, and the request is sent again with all of its body.
    @Test(arguments: TestedProxy.here) func aStaleDestinationIsLookedUpAgain(proxy: TestedProxy) async throws {
        let played = try PlayedActor.answering { "\($0.prefix(4))" }
        defer { played.leave() }
        let there = played.address
        let body = [UInt8]((0..<90_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        try await withKnownActor(proxy, at: nowhere, resume: { _ in there }) { router, api in
            let response = try await router.send("POST", to: "alice", body: body)
            #expect(response.status == 200 && response.text == "POST\(BodyDigest(body))")
            #expect(api.resumes.count == 1 && router.resolver.counters.failedConnections == 1)
            // The client cannot send it in the name of the proxy.
            #expect(played.connections.count == 1)
        }
    }

    /// The same for a body whose end is not known, and that the proxy does not keep.
    @Test(arguments: TestedProxy.here) func aStreamedBodyIsSentToTheRightPlaceAtOnce(proxy: TestedProxy) async throws {
        let played = try PlayedActor.answering { _ in "" }
        defer { played.leave() }
        let there = played.address
        try await withKnownActor(proxy, at: nowhere, resume: { _ in there }) { router, _ in
            let connection = try RawConnection(to: router.address)
            try connection.send(
                "POST / HTTP/1.1\r\nHost: alice.\(RouterHarness.domain)\r\nTransfer-Encoding: chunked\r\n\r\n")
            for text in ["one", "three", "hundreds"] {
                try connection.send("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n")
            }
            try connection.send("0\r\n\r\n")
            #expect(try connection.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
            _ = try connection.receive(until: "\(BodyDigest(Array("onethreehundreds".utf8)))")
            #expect(router.resolver.counters.failedConnections == 1)
        }
    }

    @Test(arguments: TestedProxy.here) func aLargeUploadReachesItsActorWhole(proxy: TestedProxy) async throws {
        let played = try PlayedActor.answering { _ in "" }
        defer { played.leave() }
        let there = played.address
        let block = [UInt8]((0..<1_048_576).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
        try await withKnownActor(proxy, at: nowhere, resume: { _ in there }) { router, _ in
            let connection = try RawConnection(to: router.address)
            try connection.send(
                "POST / HTTP/1.1\r\nHost: alice.\(RouterHarness.domain)\r\nContent-Length: \(50 * block.count)\r\n\r\n")
            var body: [UInt8] = []
            for number in 0..<50 {
                let block = Array(block[(number * 1000)...] + block[..<(number * 1000)])
                try connection.send(block)
                body += block
            }
            #expect(try connection.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
            _ = try connection.receive(until: "\(BodyDigest(body))")
        }
    }

    /// The actor may have done what was asked for.
    @Test(arguments: TestedProxy.here) func aRequestThatAnActorHasBegunToReadIsNotSentAgain(proxy: TestedProxy)
        async throws
    {
        let played = try PlayedActor { _, _ in }
        defer { played.leave() }
        let here = played.address
        try await withKnownActor(proxy, at: here, resume: { _ in here }) { router, api in
            for method in ["GET", "POST"] {
                let before = played.connections.count
                let response = try await router.send(method, to: "alice", body: method == "POST" ? [1, 2, 3] : nil)
                #expect(response.status == 503)
                #expect(played.connections.count == before + 1)
            }
            #expect(api.resumes.count == 0 && router.resolver.counters.failedConnections == 0)
        }
    }

    /// As while a sandbox is frozen and thawed: ateapi says that it is where it was.
    @Test(arguments: TestedProxy.here) func anActorThatRefusesForAMomentIsTriedAgain(proxy: TestedProxy) async throws {
        let place = ActorAddress(ip: "127.0.0.1", port: try FreePort.find())
        var options = ResolverOptions()
        options.retryPauses = [.milliseconds(20), .milliseconds(50), .milliseconds(100), .seconds(20)]
        try await withKnownActor(proxy, at: place, resume: { _ in place }, options: options) { router, api in
            async let response = router.send(to: "alice")
            try await eventually("it has been refused") { router.resolver.counters.failedConnections >= 2 }
            let played = try PlayedActor.answering(port: place.port) { _ in "back" }
            defer { played.leave() }
            // News of it ends the longest pause, too.
            try await eventually("it is known again") {
                api.place(alice, at: place)
                return played.connections.count > 0
            }
            #expect(try await response.text == "back")
        }
    }

    @Test(arguments: TestedProxy.here) func newsOfTheActorEndsThePause(proxy: TestedProxy) async throws {
        let played = try PlayedActor.answering { _ in "elsewhere" }
        defer { played.leave() }
        let there = played.address
        var options = ResolverOptions()
        options.retryPauses = [.seconds(3600)]
        let hasMoved = Flag()
        let resume: PlayedAPI.Resume = { _ in hasMoved.isSet ? there : nowhere }
        try await withKnownActor(proxy, at: nowhere, resume: resume, options: options) { router, api in
            async let response = router.send(to: "alice")
            try await eventually("ateapi was asked") { api.resumes.count == 1 }
            hasMoved.set()
            api.place(alice, at: nil)
            #expect(try await response.text == "elsewhere")
        }
    }

    @Test(arguments: TestedProxy.here) func anActorThatStaysAwayIsGivenUp(proxy: TestedProxy) async throws {
        var options = ResolverOptions()
        options.retryPauses = [.milliseconds(1), .milliseconds(1)]
        try await withKnownActor(proxy, at: nowhere, options: options) { router, _ in
            let response = try await router.send("POST", to: "alice", body: [1])
            #expect(response.status == 503)
            #expect(response.text == "the actor cannot be reached just now, please try again\n")
            #expect(router.resolver.counters.failedConnections == 3)
            // What is not kept is not begun.
            let streamed = try await router.send("POST", to: "alice", body: [UInt8](repeating: 0, count: 200_000))
            #expect(streamed.status == 503)
        }
    }

    @Test(arguments: TestedProxy.here) func theHeaderNamesTheActorToo(proxy: TestedProxy) async throws {
        let played = try PlayedActor.answering { $0.lowercased() }
        defer { played.leave() }
        let there = played.address
        let asked = Collected<ActorRef>()
        let resume: PlayedAPI.Resume = { ref in
            asked.append(ref)
            return there
        }
        try await RouterHarness.run(proxy, resume: resume) { router, _ in
            let header = RequestTarget.header
            _ = try await router.send(host: "example.com", headers: [header: "team/bob"])
            // It is said for this request, while a host name may be there because there has to be one.
            _ = try await router.send(to: "alice", headers: [header: "team/carol"])
            #expect(asked.all.map(\.description) == ["team/bob", "team/carol"])
            for malformed in ["bob", "team/bob/x", "team/", "/bob", "Team/bob", "team/-bob", "a b/c"] {
                let response = try await router.send(to: "alice", headers: [header: malformed])
                #expect(response.status == 400, "\(malformed)")
                #expect(response.text.hasPrefix("invalid ate-target-actor \"\(malformed)\": "))
            }
            #expect(asked.all.count == 2)
        }
    }

    @Test(arguments: TestedProxy.here) func whatOnlyWeMaySayIsNotTakenFromClients(proxy: TestedProxy) async throws {
        let played = try PlayedActor.answering { $0.lowercased() }
        defer { played.leave() }
        let there = played.address
        try await withKnownActor(proxy, at: there) { router, api in
            let response = try await router.send(
                to: "alice",
                headers: [
                    "X-Ate-Destination": "127.0.0.1:1", "X-Ate-Host": "bob.\(RouterHarness.domain)",
                    "X-Ate-Target": "default/bob", "X-Ate-Round": "1", "X-Ate-Check": "1",
                ])
            #expect(response.status == 200)
            #expect(response.text.contains("host: alice.\(RouterHarness.domain)\r\n"))
            for name in ["x-ate-host", "x-ate-target", "x-ate-check", "127.0.0.1:1\r\n"] {
                #expect(!response.text.contains(name), "\(name)")
            }
            #expect(api.resumes.count == 0 && router.resolver.counters.failedConnections == 0)
        }
    }

    @Test(arguments: TestedProxy.here) func eventsArriveOneByOne(proxy: TestedProxy) async throws {
        let gate = Shared(0)
        let played = try PlayedActor { _, connection in
            try connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            for number in 0..<5 {
                try connection.send("data: \(number)\n\n")
                while gate.current <= number { usleep(500) }
            }
        }
        defer { played.leave() }
        try await withKnownActor(proxy, at: played.address) { router, _ in
            let connection = try RawConnection(to: router.address)
            try connection.send("GET /events HTTP/1.1\r\nHost: alice.\(RouterHarness.domain)\r\n\r\n")
            _ = try connection.receive(until: "\r\n\r\n")
            for number in 0..<5 {
                // The next is sent only once this one has arrived.
                _ = try connection.receive(until: "data: \(number)\n\n")
                gate.withLock { $0 = number + 1 }
            }
        }
    }

    @Test(arguments: TestedProxy.here) func webSocketsPass(proxy: TestedProxy) async throws {
        let played = try PlayedActor { head, connection in
            guard head.lowercased().contains("upgrade: websocket") else { return }
            try connection.send(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            for _ in 0..<3 { try connection.send("echo " + connection.receive(until: ".")) }
        }
        defer { played.leave() }
        try await withKnownActor(proxy, at: played.address) { router, _ in
            let connection = try RawConnection(to: router.address)
            try connection.send(
                """
                GET /socket HTTP/1.1\r\nHost: alice.\(RouterHarness.domain)\r\nUpgrade: websocket\r\n\
                Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n
                """)
            #expect(try connection.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 101"))
            for text in ["one.", "two.", "three."] {
                try connection.send(text)
                #expect(try connection.receive(until: ".") == "echo \(text)")
            }
        }
    }

    @Test(arguments: TestedProxy.here) func aRefusalComesWithItsCodeAndText(proxy: TestedProxy) async throws {
        let refusals: [(StatusCode, Int, String)] = [
            (.notFound, 404, "not found"), (.failedPrecondition, 503, "unavailable: no \"free\" workers"),
            (.resourceExhausted, 429, "rate limited"), (.permissionDenied, 403, "access denied"),
            (.unauthenticated, 401, "authentication required"), (.deadlineExceeded, 504, "request timed out"),
        ]
        let resume: PlayedAPI.Resume = { ref in
            guard let index = Int(ref.name.dropFirst()) else { throw Status(code: .internal, message: "") }
            throw Status(code: refusals[index].0, message: "no \"free\" workers")
        }
        try await RouterHarness.run(proxy, resume: resume) { router, _ in
            for (index, expected) in refusals.enumerated() {
                let response = try await router.send(to: "a\(index)")
                #expect(response.status == expected.1)
                #expect(response.text == "actor \"a\(index)\" \(expected.2)\n")
                #expect(response.headers["content-type"]?.hasPrefix("text/plain") == true)
            }
            let host = try await router.send(host: "example.com")
            #expect(host.status == 404 && host.text.hasPrefix("invalid host \"example.com\""))
        }
    }

    @Test(arguments: TestedProxy.here)
    func aThousandFirstRequestsCauseOneResumeAndAllAreAnswered(proxy: TestedProxy) async throws {
        let count = 1000
        let played = try PlayedActor.answering { _ in "here" }
        defer { played.leave() }
        let there = played.address
        let gate = Gate()
        let resume: PlayedAPI.Resume = { _ in
            await gate.pass()
            return there
        }
        try await RouterHarness.run(proxy, resume: resume) { router, api in
            try await withThrowingTaskGroup(of: HTTPResponse.self) { group in
                for _ in 0..<count { group.addTask { try await router.send(to: "alice") } }
                try await eventually("all wait") { router.resolver.counters.waiting == count }
                gate.open()
                for try await response in group { #expect(response.status == 200 && response.text == "here") }
            }
            #expect(api.resumes.count == 1)
            #expect(router.resolver.counters.waiting == 0)
        }
    }

    /// With TLS, and with the next certificate when the files change.
    @Test(arguments: TestedProxy.here) func certificatesAreRotated(proxy: TestedProxy) async throws {
        let certificates = try await TestCertificates()
        try await certificates.makeAuthority("next")
        try await certificates.issue("later", name: "later", alternativeName: "IP:127.0.0.1", by: "next")
        let played = try PlayedActor.answering { $0.lowercased() }
        defer { played.leave() }
        let there = played.address
        let tls = ProxyTLS(
            listen: "127.0.0.1:\(try FreePort.find())", certificate: certificates.path("server.pem"),
            privateKey: certificates.path("server.key"))
        let api = try PlayedAPI { _ in there }
        try await api.serving {
            try await RouterHarness.run(proxy, api: api, tls: tls) { _ in
                let response = try await secure(tls, certificates.path("ca.pem"))
                #expect(response.text.contains("x-forwarded-proto: https"))
                await #expect(throws: HTTPError.self) { try await secure(tls, certificates.path("next.pem")) }
                try certificates.replace("server.key", by: "later.key")
                try certificates.replace("server.pem", by: "later.pem")
                try await eventually("the new certificate is shown") {
                    (try? await secure(tls, certificates.path("next.pem"))) != nil
                }
            }
        }
    }

    @Test(arguments: TestedProxy.here) func whoHasToShowACertificateIsLetInWithOneOnly(proxy: TestedProxy) async throws
    {
        let certificates = try await TestCertificates()
        try await certificates.issue("client", name: "client", by: "ca")
        let played = try PlayedActor.answering { _ in "here" }
        defer { played.leave() }
        let there = played.address
        let tls = ProxyTLS(
            listen: "127.0.0.1:\(try FreePort.find())", certificate: certificates.path("server.pem"),
            privateKey: certificates.path("server.key"), clientAuthorities: certificates.path("ca.pem"))
        let api = try PlayedAPI { _ in there }
        try await api.serving {
            try await RouterHarness.run(proxy, api: api, tls: tls) { _ in
                let bare = try? await secure(tls, certificates.path("ca.pem"))
                #expect(bare == nil || bare?.status == 400)
                #expect(played.connections.count == 0)
                try await Tool.run(
                    "curl",
                    [
                        "-sf", "--cacert", certificates.path("ca.pem"), "--cert", certificates.path("client.pem"),
                        "--key",
                        certificates.path("client.key"), "-H", "Host: alice.\(RouterHarness.domain)",
                        "https://\(tls.listen)/",
                    ], logs: certificates.path("logs"))
                #expect(played.connections.count == 1)
            }
        }
    }

    private func secure(_ tls: ProxyTLS, _ authorities: String) async throws -> HTTPResponse {
        try await HTTPClient.send(
            "GET", "https://\(tls.listen)/", headers: ["Host": "alice.\(RouterHarness.domain)"], timeout: .seconds(10),
            over: .tls(authorities: authorities))
    }
}
