import Foundation
import GRPC
import HTTP
import LocalCluster
import Router
import ServiceKit
import SubstrateAPI
import SubstrateModel
import Synchronization
import TestKit
import Testing

/// The router with a real nginx, in front of an API that a test plays.
@Suite struct RouterTests {
    private let domain = "actors.resources.substrate.ate.dev"

    private typealias Resume = @Sendable (ActorRef) async throws -> ActorAddress

    private func withRouter(
        _ resume: @escaping Resume, options: ResolverOptions = ResolverOptions(),
        _ body: @Sendable (_ address: String) async throws -> Void
    ) async throws {
        let method = ServerMethod(ControlMethods.resumeActor) { request, _ in
            let address = try await resume(request.actor)
            let worker = WorkerRef(pool: PoolRef(namespace: "n", name: "p"), pod: "w")
            return ActorResponse(
                actor: ActorInfo(
                    ref: request.actor, version: 1, template: TemplateRef(namespace: "n", name: "t"),
                    workerSelector: Selector(), status: .running,
                    assignment: Assignment(worker: worker, uid: "u", address: address), lastSnapshot: nil,
                    inProgressSnapshot: nil))
        }
        let api = try Server(address: "127.0.0.1:0", credentials: .insecure, methods: [method])
        let resolver = ActorResolver(
            channel: Channel(target: "127.0.0.1:\(api.port)", credentials: .insecure), environment: .test(),
            options: options)
        let endpoint = ResolveEndpoint(resolver: resolver)
        let server = try HTTPServer(
            host: "127.0.0.1", port: 0, connectionLimit: options.endpointConnections
        ) { await endpoint.answer($0) }
        let files = TemporaryDirectory()
        let listen = "127.0.0.1:\(try FreePort.find())"
        let nginx = Nginx(
            listen: listen, endpoint: "127.0.0.1:\(server.port)", directory: files.path, options: options)
        try await running(api.run) {
            try await running(resolver.run) {
                try await running(server.run) {
                    try await running({ try await nginx.run(.none) }) {
                        try await eventually("nginx serves") {
                            (try? await HTTPClient.send("GET", "http://\(listen)/", timeout: .seconds(5)))?.status
                                == 404
                        }
                        try await body(listen)
                    }
                }
            }
        }
        withExtendedLifetime(files) {}
    }

    /// An actor that answers with the request it got.
    private func withActor(_ body: @Sendable (ActorAddress) async throws -> Void) async throws {
        let server = try HTTPServer(host: "127.0.0.1", port: 0) { request in
            HTTPResponse(
                status: request.path == "/forbidden" ? 403 : 200,
                text:
                    "\(request.method) \(request.path) \(request.headers["host"] ?? "") \(request.headers["x-ate-destination"] ?? "")"
            )
        }
        try await running(server.run) { try await body(ActorAddress(ip: "127.0.0.1", port: server.port)) }
    }

    private func send(
        _ method: String = "GET", _ path: String = "/", to host: String, at address: String,
        headers: [String: String] = [:]
    ) async throws -> HTTPResponse {
        try await HTTPClient.send(
            method, "http://\(address)\(path)", headers: headers.merging(["Host": host]) { $1 }, timeout: .seconds(30))
    }

    @Test func requestsReachTheirActorWithPathMethodAndHost() async throws {
        try await withActor { actor in
            let asked = Mutex<[ActorRef]>([])
            try await withRouter { ref in
                asked.withLock { $0.append(ref) }
                return actor
            } _: { address in
                let response = try await send("POST", "/a/b?c=d", to: "alice.team.\(domain)", at: address)
                #expect(response.text == "POST /a/b alice.team.\(domain) ")
                #expect(asked.withLock { $0 } == [ActorRef(atespace: "team", name: "alice")])
                // The actor's own refusal is passed on as it is.
                let forbidden = try await send("GET", "/forbidden", to: "alice.\(domain)", at: address)
                #expect(forbidden.status == 403 && forbidden.text.hasPrefix("GET /forbidden"))
            }
        }
    }

    @Test func aRefusalComesWithItsCodeAndText() async throws {
        try await withRouter { ref in
            switch ref.name {
            case "nobody": throw Status(code: .notFound, message: "Actor nobody not found")
            case "full": throw Status(code: .failedPrecondition, message: "no free workers available; \"all\" of them")
            case "limited": throw Status(code: .resourceExhausted, message: "")
            case "secret": throw Status(code: .permissionDenied, message: "")
            case "anonymous": throw Status(code: .unauthenticated, message: "")
            default: throw Status(code: .internal, message: "")
            }
        } _: { address in
            func refused(_ name: String) async throws -> (Int, String) {
                let response = try await send(to: "\(name).\(domain)", at: address)
                #expect(response.headers["content-type"]?.hasPrefix("text/plain") == true)
                return (response.status, response.text)
            }
            #expect(try await refused("nobody") == (404, "actor \"nobody\" not found\n"))
            #expect(
                try await refused("full") == (
                    503, "actor \"full\" unavailable: no free workers available; \"all\" of them\n"
                ))
            #expect(try await refused("limited") == (429, "actor \"limited\" rate limited\n"))
            #expect(try await refused("secret") == (403, "actor \"secret\" access denied\n"))
            #expect(try await refused("anonymous") == (401, "actor \"anonymous\" authentication required\n"))
            #expect(try await refused("broken") == (500, "error resuming actor \"broken\"\n"))
            let host = try await send(to: "example.com", at: address)
            #expect(host.status == 404 && host.text.hasPrefix("invalid host \"example.com\""))
            // It is repeated in part: nginx takes headers of one page.
            let long = try await send(to: String(repeating: "a", count: 6000), at: address)
            #expect(long.status == 404 && long.text.hasPrefix("invalid host \"aaaa"))
        }
    }

    @Test func manyRequestsForOneActorCauseOneResume() async throws {
        try await withActor { actor in
            let resumes = Tally()
            let gate = Gate()
            try await withRouter { _ in
                resumes.add()
                await gate.pass()
                return actor
            } _: { address in
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<50 {
                        group.addTask { try await send(to: "alice.\(domain)", at: address).status }
                    }
                    try await eventually("the resume is under way") { resumes.count == 1 }
                    gate.open()
                    for try await status in group { #expect(status == 200) }
                }
                // A request that came after the answer may have asked again; the fifty together did not.
                #expect(resumes.count < 10)
            }
        }
    }

    @Test func whatNginxTakesFollowsFromWhatMayWaitAndHowLong() {
        var options = ResolverOptions()
        options.maximumWaiting = 50_000
        options.budget = .seconds(90)
        let configuration = Nginx(listen: "a", endpoint: "e", directory: "d", options: options).configuration
        let connections = configuration.split(separator: "worker_connections ").last.flatMap {
            Int($0.prefix { $0 != ";" })
        }
        // Each that waits holds its client's connection and the one to the endpoint.
        #expect(connections.map { $0 > 2 * options.maximumWaiting } == true)
        #expect(options.endpointConnections > options.maximumWaiting)
        #expect(configuration.contains("proxy_read_timeout 95000ms;"))
    }

    @Test func anActorThatDoesNotComeUpLeavesRoomForTheOthers() async throws {
        try await withActor { actor in
            let gate = Gate()
            var options = ResolverOptions()
            options.maximumWaitingPerActor = 3
            let resume: Resume = { ref in
                if ref.name == "slow" { await gate.pass() }
                return actor
            }
            try await withRouter(resume, options: options) { address in
                try await withThrowingTaskGroup(of: HTTPResponse.self) { group in
                    for _ in 0..<4 { group.addTask { try await send(to: "slow.\(domain)", at: address) } }
                    let first = try #require(try await group.next())
                    #expect(first.status == 503)
                    #expect(first.text == "too many requests are waiting for actor \"slow\"\n")
                    #expect(try await send(to: "alice.\(domain)", at: address).status == 200)
                    gate.open()
                    for try await response in group { #expect(response.status == 200) }
                }
            }
        }
    }

    @Test func anAbortedResumeIsTriedAgain() async throws {
        try await withActor { actor in
            let calls = Counter()
            var options = ResolverOptions()
            options.firstPause = .milliseconds(5)
            let resume: Resume = { _ in
                if calls.next() < 3 { throw Status(code: .aborted, message: "another operation is in progress") }
                return actor
            }
            try await withRouter(resume, options: options) { address in
                let response = try await send(to: "alice.\(domain)", at: address)
                #expect(response.status == 200)
                #expect(calls.next() == 4)
            }
        }
    }

    @Test func aResumeThatTakesTooLongTimesOut() async throws {
        var options = ResolverOptions()
        options.budget = .milliseconds(200)
        let resume: Resume = { _ in
            try await Task.sleep(for: .seconds(60))
            throw Status(code: .internal, message: "")
        }
        try await withRouter(resume, options: options) { address in
            let response = try await send(to: "alice.\(domain)", at: address)
            #expect(response.status == 504 && response.text == "actor \"alice\" request timed out\n")
        }
    }

    @Test func whenTheActorCannotBeReachedTheClientMayTryAgain() async throws {
        try await withRouter { _ in
            ActorAddress(ip: "127.0.0.1", port: 1)
        } _: { address in
            let response = try await send(to: "alice.\(domain)", at: address)
            #expect(response.status == 503)
        }
    }

    @Test func aClientCannotChooseItsDestination() async throws {
        try await withActor { actor in
            try await withRouter { _ in
                actor
            } _: { address in
                let response = try await send(
                    to: "alice.\(domain)", at: address,
                    headers: ["X-Ate-Destination": "127.0.0.1:1", "X-Ate-Host": "bob.\(domain)"])
                #expect(response.status == 200)
            }
        }
    }
}
