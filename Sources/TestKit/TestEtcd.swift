internal import Etcd
internal import Foundation
package import LocalCluster
package import SubstrateStore

/// A real etcd server for tests.
package enum TestEtcd {
    private static let shared = Task { try await LocalEtcd.start(directory: TemporaryDirectory.kept()) }

    /// A server that tests share. Each uses a root of its own; none stops, compacts or counts it.
    package static func server() async throws -> LocalEtcd { try await shared.value }

    /// A store under a root that nobody else uses, on the shared server.
    package static func store() async throws -> Store {
        let etcd = try await server().client()
        return Store(etcd: etcd, keys: uniqueKeys())
    }

    /// Keys under a root that nobody else uses.
    package static func uniqueKeys() -> Keys { Keys(root: "/test-\(UUID().uuidString.lowercased())/") }

    /// A server of its own, stopped when `body` is done.
    /// - Parameter arguments: added to those of the server.
    package static func withServer<Result: Sendable>(
        arguments: [String] = [], _ body: (LocalEtcd) async throws -> Result
    ) async throws -> Result {
        let directory = TemporaryDirectory()
        let etcd = try await LocalEtcd.start(directory: directory.path, arguments: arguments)
        do {
            let result = try await body(etcd)
            await etcd.kill()
            return result
        } catch {
            await etcd.kill()
            throw error
        }
    }
}

extension TestEtcd {
    /// A cluster of three, killed when `body` is done.
    package static func withCluster<Result: Sendable>(
        arguments: [String] = [], _ body: (LocalEtcdCluster) async throws -> Result
    ) async throws -> Result {
        let directory = TemporaryDirectory()
        let cluster = try await LocalEtcdCluster.start(directory: directory.path, arguments: arguments)
        do {
            let result = try await body(cluster)
            await cluster.kill()
            return result
        } catch {
            await cluster.kill()
            throw error
        }
    }
}

/// A directory that goes away with this object.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init() { path = TemporaryDirectory.create() }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of a directory that goes away with the process.
    static func kept() -> String {
        let path = create()
        DirectoriesAtExit.add(path)
        return path
    }

    private static func create() -> String {
        let path = NSTemporaryDirectory() + "substrate-test-\(UUID().uuidString.lowercased())"
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }
}
