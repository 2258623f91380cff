import Foundation
import GRPC
import HTTP
import LocalCluster
import Router
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

/// Limits, retries and outages, with nginx in front.
@Suite struct RouterTests {
    private let alice = actor("alice")

    /// An actor that answers with the request it got.
    private func withActor(_ body: @Sendable (ActorAddress) async throws -> Void) async throws {
        let server = try HTTPServer(host: "127.0.0.1", port: 0) { request in
            HTTPResponse(
                status: request.path == "/forbidden" ? 403 : 200,
                text: "\(request.method) \(request.path) \(request.headers["host"] ?? "")")
        }
        try await running(server.run) { try await body(ActorAddress(ip: "127.0.0.1", port: server.port)) }
    }

    @Test func requestsReachTheirActorWithPathMethodAndHost() async throws {
        try await withActor { place in
            let asked = Collected<ActorRef>()
            let resume: PlayedAPI.Resume = { ref in
                asked.append(ref)
                return place
            }
            try await RouterHarness.run(resume: resume) { router, _ in
                let response = try await router.send("POST", "/a/b?c=d", to: "alice.team")
                #expect(response.text == "POST /a/b alice.team.\(RouterHarness.domain)")
                #expect(asked.all == [ActorRef(atespace: "team", name: "alice")])
                // The actor's own refusal is passed on as it is.
                let forbidden = try await router.send("GET", "/forbidden", to: "alice")
                #expect(forbidden.status == 403 && forbidden.text.hasPrefix("GET /forbidden"))
            }
        }
    }

    @Test func aLongHostNameIsRepeatedInPart() async throws {
        try await RouterHarness.run(resume: { _ in nowhere }) { router, _ in
            // nginx takes headers of one page.
            let long = try await router.send(host: String(repeating: "a", count: 6000))
            #expect(long.status == 404 && long.text.hasPrefix("invalid host \"aaaa"))
        }
    }

    @Test func whatNginxTakesFollowsFromWhatMayWaitAndHowLong() {
        var options = ResolverOptions()
        options.maximumWaiting = 50_000
        options.budget = .seconds(90)
        let settings = ProxySettings(listen: "a", endpoint: "e", directory: "d", program: "nginx", options: options)
        let configuration = Nginx(settings).configuration
        let connections = configuration.split(separator: "worker_connections ").last.flatMap {
            Int($0.prefix { $0 != ";" })
        }
        // Each that waits holds its client's connection and the one to the endpoint.
        #expect(connections.map { $0 > 2 * options.maximumWaiting } == true)
        #expect(options.endpointConnections > options.maximumWaiting)
        // Two resumes and the longest pause between them.
        #expect(configuration.contains("proxy_read_timeout 190300ms;"))
    }

    @Test func anActorThatDoesNotComeUpLeavesRoomForTheOthers() async throws {
        try await withActor { place in
            let gate = Gate()
            var options = ResolverOptions()
            options.maximumWaitingPerActor = 3
            let resume: PlayedAPI.Resume = { ref in
                if ref.name == "slow" { await gate.pass() }
                return place
            }
            try await RouterHarness.run(options: options, resume: resume) { router, _ in
                try await withThrowingTaskGroup(of: HTTPResponse.self) { group in
                    for _ in 0..<4 { group.addTask { try await router.send(to: "slow") } }
                    let first = try #require(try await group.next())
                    #expect(first.status == 503)
                    #expect(first.text == "too many requests are waiting for actor \"slow\"\n")
                    #expect(try await router.send(to: "alice").status == 200)
                    gate.open()
                    for try await response in group { #expect(response.status == 200) }
                }
            }
        }
    }

    @Test func noMoreRequestsWaitThanMay() async throws {
        let gate = Gate()
        var options = ResolverOptions()
        options.maximumWaiting = 2
        let resume: PlayedAPI.Resume = { _ in
            await gate.pass()
            throw Status(code: .notFound, message: "")
        }
        try await RouterHarness.run(options: options, resume: resume) { router, _ in
            try await withThrowingTaskGroup(of: HTTPResponse.self) { group in
                for name in ["a", "b"] { group.addTask { try await router.send(to: name) } }
                try await eventually("two wait") { router.resolver.counters.waiting == 2 }
                let third = try await router.send(to: "c")
                #expect(third.status == 503 && third.text == "too many requests are waiting for actors\n")
                gate.open()
                for try await response in group { #expect(response.status == 404) }
            }
        }
    }

    @Test func anAbortedResumeIsTriedAgain() async throws {
        try await withActor { place in
            let calls = Counter()
            var options = ResolverOptions()
            options.firstPause = .milliseconds(5)
            let resume: PlayedAPI.Resume = { _ in
                if calls.next() < 3 { throw Status(code: .aborted, message: "another operation is in progress") }
                return place
            }
            try await RouterHarness.run(options: options, resume: resume) { router, _ in
                let response = try await router.send(to: "alice")
                #expect(response.status == 200 && calls.next() == 4)
            }
        }
    }

    @Test func aResumeThatTakesTooLongTimesOut() async throws {
        var options = ResolverOptions()
        options.budget = .milliseconds(200)
        let resume: PlayedAPI.Resume = { _ in
            try await Task.sleep(for: .seconds(60))
            throw Status(code: .internal, message: "")
        }
        try await RouterHarness.run(options: options, resume: resume) { router, _ in
            let response = try await router.send(to: "alice")
            #expect(response.status == 504 && response.text == "actor \"alice\" request timed out\n")
        }
    }

    /// While ateapi is down, for three quarters of the time for which addresses rest.
    @Test func withoutATEAPIWhatIsKnownIsServedForAsLongAsNoAddressCanBeAnothers() async throws {
        let clock = ManualClock()
        try await withActor { place in
            let api = try PlayedAPI()
            api.place(alice, at: place)
            try await api.serving {
                try await RouterHarness.run(api: api, clock: clock) { router in
                    try await router.knows(alice, at: place)
                    try await api.stop()
                    // The state was asked for at zero on this clock.
                    clock.advance(by: .seconds(44))
                    #expect(try await router.send(to: "alice").status == 200)
                    let other = try await router.send(to: "bob")
                    #expect(other.status == 503 && other.text == "actor \"bob\" unavailable\n")
                    clock.advance(by: .seconds(1))
                    #expect(router.resolver.known.place(of: alice) == nil)
                    #expect(!router.resolver.counters.isTableBelieved)
                    let late = try await router.send(to: "alice")
                    #expect(late.status == 503 && late.text == "actor \"alice\" unavailable\n")
                    try await api.serving {
                        try await eventually("the router knows it again") {
                            clock.advance(by: .milliseconds(100))
                            return router.resolver.known.place(of: alice) != nil
                        }
                        #expect(try await router.send(to: "alice").status == 200)
                    }
                }
            }
        }
    }

    @Test func whatRefusesForAMomentWhileThereIsNoATEAPIIsNotForgotten() async throws {
        let place = ActorAddress(ip: "127.0.0.1", port: try FreePort.find())
        var options = ResolverOptions()
        options.retryPauses = Array(repeating: .milliseconds(50), count: 8)
        let api = try PlayedAPI()
        api.place(alice, at: place)
        try await api.serving {
            try await RouterHarness.run(api: api, options: options) { router in
                try await router.knows(alice, at: place)
                try await api.stop()
                async let response = router.send(to: "alice")
                try await eventually("it has been refused") { router.resolver.counters.failedConnections >= 1 }
                let played = try PlayedActor.answering(port: place.port) { _ in "back" }
                defer { played.leave() }
                #expect(try await response.text == "back")
            }
        }
    }

    /// Its stream says nothing and does not end, so only a new one can show that the table is current.
    @Test func aStreamThatIsSilentIsFollowedByAnother() async throws {
        let clock = ManualClock()
        try await withActor { place in
            let api = try PlayedAPI()
            api.place(alice, at: place)
            try await api.serving {
                try await RouterHarness.run(api: api, clock: clock) { router in
                    try await router.knows(alice, at: place)
                    for number in 1..<10 {
                        #expect(try await router.send(to: "alice").status == 200)
                        try await eventually("the next stream is due") { clock.sleepers > 0 }
                        clock.advance(by: .seconds(15))
                        try await eventually("the next stream has begun") { api.streams.count == number + 1 }
                        try await router.knows(alice, at: place)
                    }
                    // More than twice the time for which one state is believed has passed.
                    #expect(api.resumes.count == 0)
                }
            }
        }
    }

    @Test func whatIsReportedWhileATEAPIIsDownIsReportedLater() async throws {
        try await withActor { place in
            let api = try PlayedAPI()
            api.place(alice, at: place)
            try await api.serving {
                try await RouterHarness.run(api: api) { router in
                    try await router.knows(alice, at: place)
                    try await api.stop()
                    #expect(try await router.send(to: "alice").status == 200)
                    try await api.serving {
                        try await eventually("it is reported") { api.reported.map(\.uid) == ["uid-of-alice"] }
                    }
                }
            }
        }
    }
}
