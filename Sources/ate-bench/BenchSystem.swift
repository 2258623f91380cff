import Etcd
import Foundation
import GRPC
import LocalCluster
import Processes
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit

/// An etcd and an ateapi as processes of their own, and workers whose node answers at once: a gRPC server in this process.
final class BenchSystem: Sendable {
    let etcd: LocalEtcd
    let fixture: StoreFixture
    /// To ateapi.
    let channel: Channel
    private let replica: LocalProcess

    private init(etcd: LocalEtcd, fixture: StoreFixture, channel: Channel, replica: LocalProcess) {
        self.etcd = etcd
        self.fixture = fixture
        self.channel = channel
        self.replica = replica
    }

    /// Starts a system and waits until it serves.
    /// - Parameter agent: where the node answers that all workers are said to be on.
    static func start(
        workers: Int, agent: String, directory: String, etcdArguments: [String] = []
    ) async throws -> BenchSystem {
        let etcd = try await LocalEtcd.start(directory: directory, arguments: etcdArguments)
        do {
            let fixture = try await StoreFixture(Store(etcd: etcd.client(), keys: Keys()))
            let address = "127.0.0.1:\(try FreePort.find())"
            let replica = try await LocalProcess.start(
                "ateapi", "\(programs)/ateapi",
                [
                    "--grpc-listen-addr", address, "--status-listen-addr", "none", "--etcd-endpoints",
                    etcd.endpoint, "--log-level", "warn",
                ],
                logs: directory)
            let system = BenchSystem(
                etcd: etcd, fixture: fixture, channel: Channel(target: address, credentials: .insecure),
                replica: replica)
            try await system.register(workers, agent: agent)
            try await replica.wait(until: "serve") {
                let request = AtespaceRequest(name: Atespace.defaultName)
                return (try? await system.channel.call(ControlMethods.getAtespace, request, timeout: .seconds(1)))
                    != nil
            }
            return system
        } catch {
            await etcd.kill()
            throw error
        }
    }

    func stop() async {
        await replica.process.stop(grace: .seconds(5))
        await etcd.kill()
    }

    /// What ateapi holds in memory, in bytes; 0 when it has ended.
    var residentBytes: Int {
        let text = FileManager.default.contents(atPath: "/proc/\(replica.process.pid)/statm") ?? Data()
        let pages = String(decoding: text, as: UTF8.self).split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return (pages ?? 0) * Int(getpagesize())
    }

    static var programs: String {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
    }

    private func register(_ workers: Int, agent: String) async throws {
        let lease = try await fixture.store.etcd.grantLease(timeToLive: .seconds(3600)).id
        try await eachOf(workers, atATime: 64) { [fixture] number in
            _ = try await fixture.register("worker-\(number)", lease: lease, agent: agent)
        }
    }

    /// What ateapi has spent so far, in user and kernel mode.
    var processorTime: Duration { ProcessTree.processorTime(of: replica.process.pid) }
}

/// Does something with each number, a few at a time.
func eachOf(
    _ count: Int, atATime limit: Int, _ body: @escaping @Sendable (Int) async throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for first in 0..<min(limit, count) {
            group.addTask { for number in stride(from: first, to: count, by: limit) { try await body(number) } }
        }
        try await group.waitForAll()
    }
}
