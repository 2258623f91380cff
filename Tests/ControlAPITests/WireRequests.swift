/// Requests as clients of both generations send them, made by hand from the tables of the wire contract.
enum WireRequests {
    /// A method with one response, and what is sent to it.
    struct Method {
        var path: String
        var requests: [[UInt8]]
    }

    /// A length-delimited field; of less than 128 bytes.
    static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(bytes.count)] + bytes }
    static func field(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }
    /// A field of a number below 128.
    static func field(_ number: UInt8, _ value: UInt8) -> [UInt8] { [number << 3, value] }

    /// The newer generation's name of an actor, as field 1.
    static func ref(_ name: String, _ atespace: String = "default") -> [UInt8] {
        field(1, field(1, atespace) + field(2, name))
    }

    static let template = field(2, "default") + field(3, "template")
    static let selector = field(1, field(1, "size") + field(2, "small"))

    static let all: [Method] = control + identity + resources

    private static let control: [Method] = {
        let both = [field(1, "alice"), ref("alice")]
        let named = ["GetActor", "SuspendActor", "PauseActor", "ResumeActor", "DeleteActor"].map {
            Method(path: "/ateapi.Control/\($0)", requests: both)
        }
        let atespaces = ["CreateAtespace", "GetAtespace", "DeleteAtespace"].map {
            Method(path: "/ateapi.Control/\($0)", requests: [field(1, "team")])
        }
        let empty = ["ListWorkers", "ListAtespaces", "DebugClear"].map {
            Method(path: "/ateapi.Control/\($0)", requests: [[]])
        }
        return named + atespaces + empty + [
            Method(
                path: "/ateapi.Control/CreateActor",
                requests: [both[0] + template, both[1] + template + field(4, selector)]),
            Method(path: "/ateapi.Control/UpdateActor", requests: both.map { $0 + field(2, selector) }),
            Method(
                path: "/ateapi.Control/ListActors",
                requests: [field(1, 1), field(1, 7) + field(2, "MS83Ly9hL2I=") + field(3, "default")]),
        ]
    }()

    private static let identity: [Method] = {
        let session = { (first: UInt8) in
            field(first, "default") + field(first + 1, "u1") + field(first + 2, "alice")
        }
        return [
            Method(path: "/ateapi.SessionIdentity/MintJWT", requests: [field(1, "tools") + session(2)]),
            Method(path: "/ateapi.SessionIdentity/MintCert", requests: [session(1) + field(4, [0x30, 0x03, 1, 2, 3])]),
        ]
    }()

    /// Our own: a namespace and a name come first in all of them.
    private static let resources = [
        "Resources/ApplyWorkerPool", "Resources/GetWorkerPool", "Resources/ListWorkerPools",
        "Resources/DeleteWorkerPool", "Resources/ApplyActorTemplate", "Resources/GetActorTemplate",
        "Resources/ListActorTemplates", "Resources/DeleteActorTemplate", "Operator/ReleaseHold",
    ].map { Method(path: "/substrate.\($0)", requests: [field(1, "default") + field(2, "fuzzed"), ref("fuzzed")]) }
}
