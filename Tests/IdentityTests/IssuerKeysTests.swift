import Foundation
import HTTP
import LocalCluster
import Processes
import ServiceKit
import TestKit
import Testing

@testable import Identity

/// When the keys of an issuer are fetched, and what happens when they cannot be.
@Suite struct IssuerKeysTests {
    /// An issuer that a test makes answer or not.
    private final class Issuer: Sendable {
        let time = Shared<Int64>(TokenDraft.now)
        let fetches = Tally()
        let answer: Shared<Result<KeySet, Problem>>
        let recorder = LogRecorder()

        init(_ answer: Result<KeySet, Problem>) { self.answer = Shared(answer) }

        func keys(gate: Gate? = nil) -> IssuerKeys {
            IssuerKeys(issuer: "https://issuer.test", now: { self.time.current }, log: recorder.log) {
                () async throws(Problem) in
                self.fetches.add()
                await gate?.pass()
                return try self.answer.current.get()
            }
        }

        func pass(_ seconds: Int64) { time.withLock { $0 += seconds } }
    }

    private static let dead = Result<KeySet, Problem>.failure(Problem("connection refused"))

    private func set(_ ids: String...) throws -> KeySet {
        let key = try TestSigner(.es256).key
        return KeySet(entries: ids.map { KeySet.Entry(id: $0, key: key) })
    }

    private func ids(_ keys: IssuerKeys, for id: String) async throws -> [String] {
        try await keys.keys(forID: id).entries.map(\.id)
    }

    @Test func knownKeysAreFetchedAgainOnlyAfterAWhile() async throws {
        let issuer = Issuer(.success(try set("a")))
        let keys = issuer.keys()
        for _ in 0..<5 { _ = try await keys.keys(forID: "a") }
        #expect(issuer.fetches.count == 1)
        issuer.pass(IssuerKeys.refreshAfter - 1)
        _ = try await keys.keys(forID: "a")
        #expect(issuer.fetches.count == 1)
        issuer.pass(1)
        _ = try await keys.keys(forID: "a")
        #expect(issuer.fetches.count == 2)
    }

    @Test func aRevokedKeyIsGoneWhenItsTimeIsOver() async throws {
        let issuer = Issuer(.success(try set("a", "b")))
        let keys = issuer.keys()
        let before = try await ids(keys, for: "a")
        #expect(before == ["a", "b"])
        issuer.answer.withLock { [set = try set("b")] in $0 = .success(set) }
        issuer.pass(IssuerKeys.refreshAfter)
        let after = try await ids(keys, for: "a")
        #expect(after == ["b"])
    }

    @Test func anUnknownKeyIsLookedForAtOnceButNotTooOften() async throws {
        let issuer = Issuer(.success(try set("a")))
        let keys = issuer.keys()
        _ = try await keys.keys(forID: "a")
        issuer.answer.withLock { [set = try set("a", "new")] in $0 = .success(set) }
        for _ in 0..<100 { _ = try await keys.keys(forID: "new") }
        #expect(issuer.fetches.count == 1)
        issuer.pass(IssuerKeys.retryAfter)
        let found = try await ids(keys, for: "new")
        #expect(found == ["a", "new"])
        #expect(issuer.fetches.count == 2)
    }

    @Test func theLastGoodKeysOutliveTheIssuer() async throws {
        let issuer = Issuer(.success(try set("a")))
        let keys = issuer.keys()
        _ = try await keys.keys(forID: "a")
        issuer.answer.withLock { $0 = Self.dead }
        for _ in 0..<10 {
            issuer.pass(IssuerKeys.refreshAfter)
            let found = try await ids(keys, for: "a")
            #expect(found == ["a"])
        }
        try await eventually("the failures are logged") {
            issuer.recorder.contains(.error, "cannot fetch the keys of the issuer")
        }
        issuer.answer.withLock { [set = try set("a", "b")] in $0 = .success(set) }
        try await eventually("the new keys are there") {
            issuer.pass(IssuerKeys.retryAfter)
            return try await ids(keys, for: "a") == ["a", "b"]
        }
    }

    /// A call with a known key does not wait while an issuer hangs that has failed before.
    @Test func nobodyWaitsForAnIssuerThatIsKnownToBeDead() async throws {
        let issuer = Issuer(.success(try set("a")))
        let hanging = Gate()
        let isHanging = Flag()
        let keys = IssuerKeys(issuer: "i", now: { issuer.time.current }, log: .none) { () async throws(Problem) in
            issuer.fetches.add()
            if isHanging.isSet { await hanging.pass() }
            return try issuer.answer.current.get()
        }
        _ = try await keys.keys(forID: "a")
        issuer.answer.withLock { $0 = Self.dead }
        issuer.pass(IssuerKeys.refreshAfter)
        _ = try await keys.keys(forID: "a")
        #expect(issuer.fetches.count == 2)
        isHanging.set()
        issuer.pass(IssuerKeys.retryAfter)
        // It would never return if it waited: the gate opens only afterwards.
        let found = try await ids(keys, for: "a")
        #expect(found == ["a"])
        try await hanging.waitForArrival()
        hanging.open()
    }

    @Test func aDeadIssuerThatWasNeverReachedIsARefusal() async throws {
        let issuer = Issuer(Self.dead)
        let keys = issuer.keys()
        for _ in 0..<5 {
            await #expect(throws: Problem("the keys of its issuer are not available")) {
                _ = try await keys.keys(forID: "a")
            }
        }
        #expect(issuer.fetches.count == 1)
        issuer.answer.withLock { [set = try set("a")] in $0 = .success(set) }
        issuer.pass(IssuerKeys.retryAfter)
        let found = try await ids(keys, for: "a")
        #expect(found == ["a"])
    }

    @Test func callsAtTheSameTimeShareOneFetch() async throws {
        let issuer = Issuer(.success(try set("a")))
        let gate = Gate()
        let keys = issuer.keys(gate: gate)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<20 { group.addTask { try await keys.keys(forID: "a").entries.count } }
            try await gate.waitForArrival()
            gate.open()
            for try await count in group { #expect(count == 1) }
        }
        #expect(issuer.fetches.count == 1)
    }

    @Test func aClockThatIsSetBackDoesNotStopTheFetching() async throws {
        let issuer = Issuer(.success(try set("a")))
        let keys = issuer.keys()
        _ = try await keys.keys(forID: "a")
        issuer.pass(-1_000_000)
        _ = try await keys.keys(forID: "a")
        #expect(issuer.fetches.count == 2)
    }
}

/// An issuer on the network.
@Suite struct IssuerDocumentsTests {
    private func documents(_ issuer: String, authorities: String? = nil) -> IssuerDocuments {
        IssuerDocuments(issuer: issuer, authorities: authorities)
    }

    private func problem(_ issuer: String, authorities: String? = nil) async -> String? {
        do {
            _ = try await documents(issuer, authorities: authorities).fetchKeys()
            return nil
        } catch { return error.description }
    }

    /// Serves what `answers` has for a path.
    private func withServer(
        _ answers: Shared<[String: HTTPResponse]>, _ body: (_ issuer: String) async throws -> Void
    ) async throws {
        let server = try HTTPServer(host: "127.0.0.1", port: 0) { request in
            answers.current[request.path] ?? HTTPResponse(status: 404)
        }
        try await running(server.run) { try await body("http://127.0.0.1:\(server.port)") }
    }

    private func discovery(_ issuer: String, keys: String) -> HTTPResponse {
        HTTPResponse(status: 200, text: #"{"issuer": "\#(issuer)", "jwks_uri": "\#(keys)", "other": [1]}"#)
    }

    @Test func aTokenIsVerifiedByWayOfTheDiscoveryDocument() async throws {
        let signer = try TestSigner(.es256)
        let answers = Shared<[String: HTTPResponse]>(["/keys": HTTPResponse(status: 200, text: try signer.keySet())])
        try await withServer(answers) { issuer in
            answers.withLock {
                $0["/.well-known/openid-configuration"] = discovery(issuer, keys: "\(issuer)/keys")
            }
            let verifier = try TokenVerifier(
                issuer: issuer, audience: TokenDraft.audience, keys: .issuer(authorities: nil),
                now: { TokenDraft.now }, log: .none)
            try await verifier.checkKeys()
            var draft = TokenDraft()
            draft.claims["iss"] = .string(issuer)
            let token = draft.signed(by: signer)
            let identity = try await verifier.verify(authorizationHeader: "Bearer \(token)")
            #expect(identity.names == ["sub:system:serviceaccount:team-a:router"])
            // The issuer goes away; its keys stay.
            answers.withLock { $0 = [:] }
            let again = try await verifier.verify(authorizationHeader: "Bearer \(token)")
            #expect(again == identity)
        }
    }

    @Test func answersThatAreNotTheDocumentsAreProblems() async throws {
        let answers = Shared<[String: HTTPResponse]>([:])
        try await withServer(answers) { issuer in
            let path = "/.well-known/openid-configuration"
            let address = issuer + path
            func set(_ path: String, _ response: HTTPResponse) { answers.withLock { $0[path] = response } }
            #expect(await problem(issuer) == "GET \(address) was answered with 404")
            set(path, HTTPResponse(status: 302, headers: ["Location": "\(issuer)/elsewhere"]))
            #expect(await problem(issuer) == "GET \(address) was answered with 302")
            set(path, HTTPResponse(status: 200, text: "{}"))
            #expect(await problem(issuer) == "\(address) is not a discovery document with issuer and jwks_uri")
            set(path, discovery("https://other", keys: "\(issuer)/keys"))
            #expect(await problem(issuer) == "\(address) speaks for another issuer, https://other")
            for keys in ["http://example.com/keys", "file:///etc/passwd", "http://127.0.0.1@example.com/keys", "keys"] {
                set(path, discovery(issuer, keys: keys))
                let refusal = await problem(issuer)
                #expect(refusal?.hasPrefix(keys) == true, "\(refusal ?? "accepted")")
            }
            set(path, discovery(issuer, keys: "\(issuer)/keys"))
            set("/keys", HTTPResponse(status: 200, text: "[]"))
            #expect(await problem(issuer)?.contains("this is not a JSON Web Key Set") == true)
            set("/keys", HTTPResponse(status: 200, body: [UInt8](repeating: 32, count: KeySet.maximumSize + 1)))
            let tooLarge = await problem(issuer)
            #expect(tooLarge?.hasPrefix("GET \(issuer)/keys: ") == true)
        }
    }

    @Test func anIssuerThatNeverAnswersIsGivenUp() async throws {
        let gate = Gate()
        let server = try HTTPServer(host: "127.0.0.1", port: 0) { _ in
            await gate.pass()
            return HTTPResponse(status: 200)
        }
        try await running(server.run) {
            let issuer = "http://127.0.0.1:\(server.port)"
            // It would wait for ever: the gate opens only afterwards.
            await #expect(throws: Problem("GET \(issuer)/.well-known/openid-configuration: Timeout was reached")) {
                _ = try await IssuerDocuments(issuer: issuer, authorities: nil, timeout: .milliseconds(50)).fetchKeys()
            }
            gate.open()
        }
    }

    @Test(arguments: ["", "issuer", "http://example.com", "ftp://127.0.0.1", "https://user@example.com"])
    func anIssuerThatCannotBeAskedIsAnErrorAtTheStart(issuer: String) {
        #expect(throws: IdentityFileError.self) {
            _ = try TokenVerifier(
                issuer: issuer, audience: "a", keys: .issuer(authorities: nil), now: { 0 }, log: .none)
        }
    }

    /// Over TLS the server has to prove its name by an authority of the given file.
    @Test func theIssuersCertificateIsChecked() async throws {
        let certificates = try await TestCertificates()
        try await certificates.makeAuthority("other")
        try await certificates.issue("elsewhere", name: "elsewhere", alternativeName: "DNS:elsewhere", by: "ca")
        let documents = TemporaryDirectory()
        let port = try FreePort.find()
        let issuer = "https://127.0.0.1:\(port)"
        let directory = "\(documents.path)/.well-known"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let discovery = #"{"issuer": "\#(issuer)", "jwks_uri": "\#(issuer)/keys.json"}"#
        try Data(discovery.utf8).write(to: URL(fileURLWithPath: "\(directory)/openid-configuration"))
        try Data(try TestSigner(.es256).keySet().utf8).write(to: URL(fileURLWithPath: "\(documents.path)/keys.json"))
        for (certificate, authority, isTrusted) in [
            ("server", "ca", true), ("server", "other", false), ("elsewhere", "ca", false),
        ] {
            // It serves the files of its directory.
            let script = #"cd "$0" && exec openssl s_server -accept "127.0.0.1:$1" -cert "$2" -key "$3" -WWW"#
            let server = try await LocalProcess.start(
                "\(certificate)-\(authority)", "sh",
                [
                    "-c", script, documents.path, "\(port)", certificates.path("\(certificate).pem"),
                    certificates.path("\(certificate).key"),
                ], logs: documents.path)
            try await server.wait(until: "listens") { server.lastLines.contains("ACCEPT") }
            let problem = await problem(issuer, authorities: certificates.path("\(authority).pem"))
            await server.process.killAndWait()
            if isTrusted { #expect(problem == nil) } else { #expect(problem?.contains("certificate") == true) }
        }
    }
}
