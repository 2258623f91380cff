import Foundation
import ServiceKit
import TestKit
import Testing

@testable import Identity

@Suite struct PolicyTests {
    private func policy(_ rules: (identities: [String], verb: Verb, places: [Policy.Place])...) throws -> Policy {
        Policy(
            rules: try rules.map {
                Policy.Rule(identities: try $0.identities.map { try NamePattern($0) }, verb: $0.verb, places: $0.places)
            })
    }

    private static let alice = Identity(tokenSubject: "alice", validUntil: 0)

    @Test(arguments: [
        (Verb.view, [Verb.view]), (.operate, [.view, .operate]), (.admin, [.view, .operate, .admin]),
    ])
    func verbsIncludeTheLesserOnes(granted: Verb, allowed: [Verb]) throws {
        let policy = try policy((["sub:alice"], granted, [.atespace("a")]))
        for verb in Verb.allCases {
            #expect(policy.allows(Self.alice, verb, atespace: "a") == allowed.contains(verb))
            #expect(!policy.allows(Self.alice, verb, atespace: "b"))
            #expect(!policy.allows(Self.alice, verb, atespace: nil))
        }
    }

    @Test func aRuleForAllAtespacesHoldsInEach() throws {
        let policy = try policy((["sub:alice"], .operate, [.everywhere]))
        #expect(policy.allows(Self.alice, .operate, atespace: "a"))
        #expect(policy.allows(Self.alice, .operate, atespace: nil))
        #expect(!policy.allows(Self.alice, .admin, atespace: "a"))
    }

    @Test func rulesForSeveralAtespacesAreNoRuleForAll() throws {
        let policy = try policy((["sub:alice"], .admin, [.atespace("a"), .atespace("b")]))
        #expect(policy.allows(Self.alice, .view, atespace: "b"))
        #expect(!policy.allows(Self.alice, .view, atespace: nil))
        #expect(!policy.allows(Self.alice, .view, atespace: "*"))
        #expect(!policy.allows(Self.alice, .view, atespace: ""))
    }

    @Test func whatNoRuleAllowsIsDenied() throws {
        #expect(!(try policy().allows(Self.alice, .view, atespace: "a")))
        let nobody = Identity(certificateURIs: [], dnsNames: [])
        #expect(!(try policy((["sub:*"], .admin, [.everywhere])).allows(nobody, .view, atespace: "a")))
    }

    @Test(arguments: [
        ("sub:alice", "sub:alice", true), ("sub:alice", "sub:alice2", false), ("sub:alice", "sub:Alice", false),
        ("sub:ali*", "sub:alice", true), ("sub:alice*", "sub:alice", true), ("sub:*", "sub:x", true),
        ("sub:*", "URI:x", false), ("URI:spiffe://c/ns/a/*", "URI:spiffe://c/ns/a/sa/x", true),
        ("URI:spiffe://c/ns/a/*", "URI:spiffe://c/ns/ab/sa/x", false), ("DNS:a.test", "DNS:a.test", true),
        ("DNS:a.test", "URI:a.test", false), ("sub:alice", "sub:alic", false),
        // Equal to people, and not the same bytes.
        ("sub:caf\u{e9}", "sub:cafe\u{301}", false),
    ])
    func namesMatchByteForByte(pattern: String, name: String, isMatch: Bool) throws {
        #expect(try NamePattern(pattern).matches(name) == isMatch)
    }

    @Test(arguments: ["", "*", "alice", "uri:x", "SUB:x", "sub:", "DNS:", "sub:a*b", "sub:**", "DNS:*.test", " sub:x"])
    func patternsThatCouldMisleadAreRefused(pattern: String) {
        #expect(throws: Problem.self) { try NamePattern(pattern) }
    }

    @Test func anyNameOfACertificateCounts() throws {
        let identity = Identity(certificateURIs: ["spiffe://c/router"], dnsNames: ["router.test"])
        #expect(identity.names == ["URI:spiffe://c/router", "DNS:router.test"])
        for pattern in ["URI:spiffe://c/router", "DNS:router.test"] {
            #expect(try policy(([pattern], .view, [.everywhere])).allows(identity, .view, atespace: "a"))
        }
    }
}

@Suite struct PolicyFileTests {
    private func problem(_ json: String) -> String? {
        do {
            _ = try Policy(json: Array(json.utf8))
            return nil
        } catch { return error.description }
    }

    @Test func theDocumentedExampleIsRead() throws {
        let json = """
            {"rules": [
              {"identities": ["URI:spiffe://cluster.local/ns/ate-system/sa/atenet-router"], "verb": "operate", "atespaces": ["*"]},
              {"identities": ["sub:alice", "sub:ci-*"], "verb": "view", "atespaces": ["team-a", "team-b"]}
            ]}
            """
        let policy = try Policy(json: Array(json.utf8))
        #expect(policy.rules.map(\.verb) == [.operate, .view])
        #expect(policy.rules.map(\.places) == [[.everywhere], [.atespace("team-a"), .atespace("team-b")]])
        let robot = Identity(tokenSubject: "ci-7", validUntil: 0)
        #expect(policy.allows(robot, .view, atespace: "team-b"))
        #expect(!policy.allows(robot, .operate, atespace: "team-b"))
    }

    @Test(arguments: [
        (#"{"rules": []}"#, nil),
        ("", "this is not JSON"), ("[]", "the policy is not an object"),
        ("{}", "the policy, field rules: is missing or not an array"),
        (#"{"rules": [], "role": 1}"#, "the policy, field role: unknown; there are rules"),
        (#"{"rules": [1]}"#, "rule 1 is not an object"),
        (
            #"{"rules": [{"identities": ["sub:a"], "verbs": "view", "verb": "view", "atespaces": ["*"]}]}"#,
            "rule 1, field verbs: unknown; there are identities, verb, atespaces"
        ),
        (
            #"{"rules": [{"identities": ["sub:a"], "verb": "own", "atespaces": ["*"]}]}"#,
            "rule 1, field verb: \"own\" is not one of view, operate, admin"
        ),
        (
            #"{"rules": [{"identities": ["sub:a"], "verb": "VIEW", "atespaces": ["*"]}]}"#,
            "rule 1, field verb: \"VIEW\" is not one of view, operate, admin"
        ),
        (
            #"{"rules": [{"identities": ["sub:a"], "atespaces": ["*"]}]}"#,
            "rule 1, field verb: is missing or not a string"
        ),
        (
            #"{"rules": [{"identities": ["sub:a"], "verb": "view", "atespaces": []}]}"#,
            "rule 1, field atespaces: is empty, so the rule would mean nothing"
        ),
        (
            #"{"rules": [{"identities": ["sub:a"], "verb": "view", "atespaces": ["team-*"]}]}"#,
            "rule 1, field atespaces: \"team-*\" is neither an atespace's name nor *"
        ),
        (
            #"{"rules": [{"identities": "sub:a", "verb": "view", "atespaces": ["*"]}]}"#,
            "rule 1, field identities: is missing or not an array of strings"
        ),
        (
            #"{"rules": [{"identities": ["sub:a"], "verb": "view", "atespaces": ["*"]}, "#
                + #"{"identities": ["alice"], "verb": "view", "atespaces": ["*"]}]}"#,
            "rule 2, field identities: \"alice\" does not begin with one of URI:, DNS:, sub:"
        ),
    ])
    func mistakesAreNamedByRuleAndField(json: String, expected: String?) { #expect(problem(json) == expected) }
}

@Suite struct AuthorizerTests {
    private static let alice = Identity(tokenSubject: "alice", validUntil: 0)

    @Test func everyMethodOfTheServicesIsInTheTable() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../proto")
        var methods: [String] = []
        let substrate = ["resources", "watch", "operator", "router"].map { ("substrate/\($0).proto", "substrate") }
        for (file, package) in [("ateapi/ateapi.proto", "ateapi")] + substrate {
            var service = ""
            for line in try String(contentsOf: root.appending(path: file), encoding: .utf8).split(separator: "\n") {
                let words = line.split { " (".contains($0) }
                if words.first == "service" { service = "\(package).\(words[1])" }
                if words.first == "rpc" { methods.append("/\(service)/\(words[1])") }
            }
        }
        #expect(methods.count >= 20)
        for method in methods { #expect(MethodRequirement.of(method) != nil, "\(method)") }
    }

    @Test(arguments: [
        ("/ateapi.Control/GetActor", Verb.view, true), ("/ateapi.Control/ListActors", .view, true),
        ("/ateapi.Control/GetAtespace", .view, true), ("/ateapi.Control/CreateActor", .operate, true),
        ("/ateapi.Control/UpdateActor", .operate, true), ("/ateapi.Control/SuspendActor", .operate, true),
        ("/ateapi.Control/PauseActor", .operate, true), ("/ateapi.Control/ResumeActor", .operate, true),
        ("/ateapi.Control/DeleteActor", .operate, true), ("/ateapi.Control/CreateAtespace", .admin, true),
        ("/ateapi.Control/DeleteAtespace", .admin, true), ("/ateapi.Control/ListWorkers", .view, false),
        ("/ateapi.Control/ListAtespaces", .view, false), ("/ateapi.Control/DebugClear", .admin, false),
        ("/substrate.Watch/WatchActors", .view, true), ("/substrate.Watch/ActorLogs", .view, true),
        ("/substrate.Watch/WatchWorkers", .view, false), ("/substrate.Operator/ReleaseHold", .operate, true),
        ("/substrate.Resources/GetWorkerPool", .view, false),
        ("/substrate.Resources/ApplyWorkerPool", .admin, false),
        ("/substrate.Resources/DeleteWorkerPool", .admin, false),
        ("/substrate.Resources/ListActorTemplates", .view, false),
        ("/substrate.Resources/ApplyActorTemplate", .admin, false),
        ("/substrate.Resources/DeleteActorTemplate", .admin, false),
    ])
    func methodsNeedTheVerbWhereTheyReach(method: String, verb: Verb, isConfined: Bool) throws {
        let directory = TemporaryDirectory()
        for granted in Verb.allCases {
            for place in ["team-a", "*"] {
                let path = "\(directory.path)/\(granted.rawValue)"
                let rule = #"{"identities": ["sub:alice"], "verb": "\#(granted.rawValue)", "atespaces": ["\#(place)"]}"#
                try Data(#"{"rules": [\#(rule)]}"#.utf8).write(to: URL(fileURLWithPath: path))
                let authorizer = try Authorizer(policyFile: path, log: .none)
                func isAllowed(_ atespace: String?) -> Bool {
                    do {
                        try authorizer.check(Self.alice, method: method, atespace: atespace)
                        return true
                    } catch { return error.kind != .permissionDenied }
                }
                let isEnough = granted >= verb
                #expect(isAllowed("team-a") == (isEnough && (place == "*" || isConfined)))
                #expect(isAllowed("team-b") == (isEnough && place == "*"))
                #expect(isAllowed(nil) == (isEnough && place == "*"))
                #expect(isAllowed("") == (isEnough && place == "*"))
                #expect(isAllowed("*") == (isEnough && place == "*"))
            }
        }
    }

    @Test(arguments: [
        "", "/", "GetActor", "/ateapi.Control/Unknown", "/ateapi.control/GetActor", "/ateapi.Control/GetActor/",
        "/grpc.health.v1.Health/Check",
    ])
    func unknownMethodsAreDeniedToEverybody(method: String) throws {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/policy"
        let rule = #"{"identities": ["sub:alice"], "verb": "admin", "atespaces": ["*"]}"#
        try Data(#"{"rules": [\#(rule)]}"#.utf8).write(to: URL(fileURLWithPath: path))
        let authorizer = try Authorizer(policyFile: path, log: .none)
        #expect(throws: IdentityError(.permissionDenied, "\(method) is not a method that a policy can allow")) {
            try authorizer.check(Self.alice, method: method, atespace: "a")
        }
    }

    /// They decide for themselves, by who asks: a policy would only say the same twice.
    @Test(arguments: [
        "/ateapi.SessionIdentity/MintJWT", "/ateapi.SessionIdentity/MintCert",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ])
    func someMethodsTakeNoRule(method: String) throws {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/policy"
        try Data(#"{"rules": []}"#.utf8).write(to: URL(fileURLWithPath: path))
        try Authorizer(policyFile: path, log: .none).check(Self.alice, method: method, atespace: nil)
    }

    @Test func withoutAPolicyWhoeverIsKnownMayDoEverything() throws {
        let authorizer = try Authorizer(policyFile: nil, log: .none)
        try authorizer.check(Self.alice, method: "/ateapi.Control/DebugClear", atespace: nil)
    }

    @Test func theRefusalSaysWhatIsMissing() throws {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/policy"
        try Data(#"{"rules": []}"#.utf8).write(to: URL(fileURLWithPath: path))
        let authorizer = try Authorizer(policyFile: path, log: .none)
        let text = "sub:alice may not call /ateapi.Control/GetActor: it takes a rule of the policy with verb view for "
        #expect(throws: IdentityError(.permissionDenied, text + "atespace a")) {
            try authorizer.check(Self.alice, method: "/ateapi.Control/GetActor", atespace: "a")
        }
        #expect(throws: IdentityError(.permissionDenied, text + "all atespaces (*)")) {
            try authorizer.check(Self.alice, method: "/ateapi.Control/GetActor", atespace: "")
        }
    }

    @Test func aNewFileHoldsAtOnceAndABrokenOneDoesNot() throws {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/policy.json"
        let recorder = LogRecorder()
        func write(_ rules: String) throws {
            try Data(#"{"rules": [\#(rules)]}"#.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        }
        func isAllowed(_ authorizer: Authorizer) -> Bool {
            (try? authorizer.check(Self.alice, method: "/ateapi.Control/GetActor", atespace: "a")) != nil
        }
        let allowing = #"{"identities": ["sub:alice"], "verb": "view", "atespaces": ["a"]}"#
        try write("")
        let authorizer = try Authorizer(policyFile: path, log: recorder.log)
        #expect(!isAllowed(authorizer))
        try write(allowing)
        #expect(isAllowed(authorizer))
        try write(#"{"identities": ["sub:bob"], "verb": "view", "atespace": ["a"]}"#)
        #expect(isAllowed(authorizer))
        let line = try Wanted.value(recorder.lines.last)
        #expect(line.level == .error)
        #expect(
            line.fields.map { "\($0.0)=\($0.1.text())" } == [
                "file=\"\(path)\"",
                "problem=\"rule 1, field atespace: unknown; there are identities, verb, atespaces\"",
            ])
        try write("")
        #expect(!isAllowed(authorizer))
    }

    @Test func aBrokenFileAtTheStartIsAnErrorThatNamesIt() throws {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/policy.json"
        try Data("nonsense".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: IdentityFileError(path, "this is not JSON")) { try Authorizer(policyFile: path, log: .none) }
    }
}
