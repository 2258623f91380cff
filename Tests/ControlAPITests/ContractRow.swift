import ControlAPI
import Etcd
import GRPC
import Protobuf
import SubstrateAPI
import SubstrateStore
import TestKit
import Testing

/// What a call did to a key of etcd, which is given as it is behind the root. A key that is written anew with what it held
/// has changed.
enum KeyChange: Hashable {
    case created(String), changed(String), deleted(String)
}

/// One row of the contract: a request, its answer, and its effect on etcd. What is there before is what the rows above it
/// in its table have left.
struct ContractRow: Sendable {
    let name: String
    let code: StatusCode
    /// Exact: clients match it. Empty for a success.
    let message: String
    let effect: Set<KeyChange>
    private let send: @Sendable (APIHarness) async -> Status

    /// A request that is refused, with no effect unless there is one given.
    init<Request: Sendable, Response>(
        _ name: String, _ rpc: RPC<Request, Response>, _ request: Request, _ code: StatusCode, _ message: String,
        effect: Set<KeyChange> = []
    ) {
        self.name = name
        self.code = code
        self.message = message
        self.effect = effect
        send = { api in
            do throws(RPCError) {
                _ = try await api.channel.call(rpc, request, timeout: .seconds(20))
                return Status(code: .ok, message: "")
            } catch {
                return error.status
            }
        }
    }

    /// A request that succeeds.
    init<Request: Sendable, Response>(
        _ name: String, _ rpc: RPC<Request, Response>, _ request: Request, does effect: Set<KeyChange> = []
    ) {
        self.init(name, rpc, request, .ok, "", effect: effect)
    }

    /// Something that is no request happens, or begins to.
    init(
        happens name: String, does effect: Set<KeyChange> = [],
        _ body: @escaping @Sendable (APIHarness) async throws -> Void
    ) {
        self.name = name
        code = .ok
        message = ""
        self.effect = effect
        send = { api in
            do {
                try await body(api)
                return Status(code: .ok, message: "")
            } catch {
                return Status(code: .unknown, message: "\(error)")
            }
        }
    }

    /// Sends the request, and compares.
    func check(_ api: APIHarness) async throws {
        let before = try await Self.keys(api)
        let status = await send(api)
        let after = try await Self.keys(api)
        #expect(status.code == code, "\(name): \(status)")
        #expect(status.message == message, "\(name)")
        #expect(Self.changes(from: before, to: after) == effect, "\(name)")
    }

    /// Checks the rows one after the other on a cluster of their own, with one worker, the template `default/template` and
    /// the atespace `default`.
    static func check(_ rows: [ContractRow], options: ControlServiceOptions = ControlServiceOptions()) async throws {
        try await APIHarness.run(workers: 1, options: options) { api in
            for row in rows { try await row.check(api) }
        }
    }

    /// The revision of the last write to each key that calls may change: not the presences of the workers and the sessions
    /// of the replicas, which come and go by themselves. Notes of dropped snapshots, whose keys are times and nonces, are
    /// counted.
    private static func keys(_ api: APIHarness) async throws -> [String: Int64] {
        let store = api.fixture.store
        let pairs = try await store.etcd.range(RangeRequest(.prefix(Key(store.keys.root)))).pairs
        var revisions: [String: Int64] = [:]
        var dropped = 0
        for pair in pairs {
            var key = String(String(decoding: pair.key.bytes, as: UTF8.self).dropFirst(store.keys.root.count))
            if key.hasPrefix("leader/") || key.hasPrefix("workers/live/") { continue }
            if key.hasPrefix("snapshots/garbage/") {
                dropped += 1
                key = "snapshots/garbage/#\(dropped)"
            }
            revisions[key] = pair.modRevision
        }
        return revisions
    }

    private static func changes(from before: [String: Int64], to after: [String: Int64]) -> Set<KeyChange> {
        var changes: Set<KeyChange> = []
        for (key, revision) in after where before[key] != revision {
            changes.insert(before[key] == nil ? .created(key) : .changed(key))
        }
        for key in before.keys where after[key] == nil { changes.insert(.deleted(key)) }
        return changes
    }
}

/// The texts of the rule of names.
enum NameText {
    static let tooLong = String(repeating: "a", count: 64)
    static let length = "must be no more than 63 characters"
    static let characters =
        "must start and end with a lower case alphanumeric character, and consist only of lower case alphanumeric characters or '-'"
}
