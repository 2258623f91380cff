import Etcd
import GRPC
import LocalCluster
import TestKit
import Testing

/// What servers say under one gRPC code is told apart, and every failed write says what became of it.
@Suite struct ErrorTests {
    private let root = "/errors-\(UInt64.random(in: .min ... .max))/"

    private func key(_ name: String) -> Key { Key(root + name) }

    private func failure(_ body: (EtcdClient) async throws -> Void) async throws -> EtcdError? {
        let client = try await TestEtcd.server().client()
        do {
            try await body(client)
            return nil
        } catch let error as EtcdError {
            return error
        }
    }

    @Test func tooManyOperationsAndATooLargeValueAreDifferentErrorsUnderOneCode() async throws {
        let many = try await failure { client in
            _ = try await client.transaction(Transaction().then((0..<129).map { .put(key("\($0)"), []) }))
        }
        #expect(many?.code == .invalidRequest && many?.outcome == .notApplied && many?.isRetriable == false)
        let large = try await failure { client in
            try await client.put(key("large"), [UInt8](repeating: 0, count: 1_650_000))
        }
        #expect(large?.code == .tooLarge && large?.outcome == .notApplied)
    }

    @Test func whatIsTooLargeForTheServersTransportIsNotTakenForAFullDatabase() async throws {
        var options = EtcdOptions()
        options.limits.maximumRequestSize = 8 << 20
        let client = try await TestEtcd.server().client(options)
        let error = await #expect(throws: EtcdError.self) {
            try await client.put(key("huge"), [UInt8](repeating: 0, count: 3 << 20))
        }
        #expect(error?.code == .tooLarge)
        #expect(error?.outcome == .notApplied)
    }

    @Test func aKeyPutTwiceInOneTransactionIsRefused() async throws {
        let error = try await failure { client in
            _ = try await client.transaction(Transaction().then(.put(key("a"), [1]), .put(key("a"), [2])))
        }
        #expect(error?.code == .invalidRequest)
        #expect(error?.text.contains("duplicate key") == true)
    }

    @Test func aPutUnderALeaseThatIsGoneSaysSo() async throws {
        let error = try await failure { client in try await client.put(key("a"), [], lease: LeaseID(4711)) }
        #expect(error?.code == .leaseNotFound && error?.outcome == .notApplied)
        let inTransaction = try await failure { client in
            _ = try await client.transaction(
                Transaction().then(.put(key("b"), []), .put(key("a"), [], lease: LeaseID(4711))))
        }
        #expect(inTransaction?.code == .leaseNotFound && inTransaction?.outcome == .notApplied)
        // Not applied in part either.
        let rest = try await TestEtcd.server().client().range(.key(key("b")))
        #expect(rest.pairs.isEmpty)
    }

    @Test func aRevisionThatDoesNotExistYetSaysSo() async throws {
        let error = try await failure { client in
            _ = try await client.range(RangeRequest(.key(key("a")), revision: 1 << 40))
        }
        #expect(error?.code == .futureRevision)
    }

    @Test func anErrorNamesWhatWasAttemptedAndWhere() async throws {
        let server = try await TestEtcd.server()
        let error = try await failure { client in
            _ = try await client.range(RangeRequest(.key(key("a")), revision: 1 << 40))
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains(server.endpoint) && text.contains(root) && text.contains("future revision"))
    }

    @Test func aDeadlineThatTheServerNoticesFirstIsADeadline() async throws {
        let late = ServerMethod(Method("/etcdserverpb.KV/Range")) { _, _ in
            // What etcd says when it has waited for a leader for as long as the call may take.
            throw Status(code: .unknown, message: "context deadline exceeded")
        }
        let server = try Server(address: "127.0.0.1:0", credentials: .insecure, methods: [late])
        try await running({ await server.run() }) {
            var options = EtcdOptions()
            options.callTimeout = .milliseconds(200)
            let client = EtcdClient(endpoints: ["127.0.0.1:\(server.port)"], options: options)
            let error = await #expect(throws: EtcdError.self) { _ = try await client.range(.key("a")) }
            #expect(error?.code == .deadlineExceeded && error?.isRetriable == true)
        }
    }

    @Test func aFullDatabaseTakesNoWritesAndSaysWhy() async throws {
        try await TestEtcd.withServer(arguments: ["--quota-backend-bytes", "1048576"]) { server in
            let client = server.client()
            let value = [UInt8](repeating: 7, count: 200_000)
            var refusal: EtcdError?
            for number in 0..<2000 where refusal == nil {
                do { try await client.put(Key("fill/\(number)"), value) } catch { refusal = error as? EtcdError }
            }
            #expect(refusal?.code == .noSpace && refusal?.outcome == .unknown && refusal?.isRetriable == false)
            // Reads go on.
            let found = try await client.range(.prefixCount("fill/")).count
            #expect(found > 0)
        }
    }
}

extension RangeRequest {
    fileprivate static func prefixCount(_ prefix: Key) -> RangeRequest {
        var request = RangeRequest(.prefix(prefix))
        request.countOnly = true
        return request
    }
}
