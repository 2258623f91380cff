import GRPC
import Router
import SubstrateModel
import Testing

@Suite struct HostNameTests {
    private let domain = "actors.resources.substrate.ate.dev"

    @Test func hostsNameActors() {
        let alice = ActorRef(atespace: "default", name: "alice")
        let other = ActorRef(atespace: "team", name: "alice")
        #expect(HostName.actor("alice.\(domain)") == alice)
        #expect(HostName.actor("alice.\(domain).") == alice)
        #expect(HostName.actor("alice.\(domain):8080") == alice)
        #expect(HostName.actor("alice.\(domain).:80") == alice)
        #expect(HostName.actor("ALICE.Actors.Resources.Substrate.Ate.Dev") == alice)
        #expect(HostName.actor("alice.team.\(domain)") == other)
    }

    @Test func whatIsNoActorsHostIsRefused() {
        for host in [
            "", domain, ".\(domain)", "a.b.c.\(domain)", "alice.example.com", "alice\(domain)", "-a.\(domain)",
            "a..\(domain)",
            "alice.\(domain):x", "a b.\(domain)", "\(String(repeating: "a", count: 64)).\(domain)",
        ] {
            #expect(HostName.actor(host) == nil, "\(host)")
        }
    }

    @Test func everyCodeHasItsAnswer() {
        let actor = ActorRef(atespace: "default", name: "x")
        let expected: [(StatusCode, Int, String)] = [
            (.notFound, 404, "actor \"x\" not found"), (.failedPrecondition, 503, "actor \"x\" unavailable: why"),
            (.unavailable, 503, "actor \"x\" unavailable"), (.deadlineExceeded, 504, "actor \"x\" request timed out"),
            (.permissionDenied, 403, "actor \"x\" access denied"),
            (.unauthenticated, 401, "actor \"x\" authentication required"),
            (.resourceExhausted, 429, "actor \"x\" rate limited"), (.internal, 500, "error resuming actor \"x\""),
            (.aborted, 500, "error resuming actor \"x\""),
        ]
        for (code, status, message) in expected {
            #expect(
                Resolution.refused(actor, because: Status(code: code, message: "why"))
                    == .refused(status: status, message: message))
        }
    }
}
