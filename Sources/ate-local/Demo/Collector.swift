import Foundation
import HTTP
import LocalCluster
import ServiceKit
import Synchronization

/// Where a conversation would arrive that gets out of its sandbox: at the node's end of the cables to its actors, which is
/// nearer to them than anything else, and is not reached from other machines.
final class Collector: Sendable {
    /// What every node of gVisor has there (docs/runtimes.md).
    private static let address = "169.254.77.1"

    private let server: HTTPServer
    private let requests: Requests

    private final class Requests: Sendable {
        let count = Mutex(0)
    }

    init() throws {
        let requests = Requests()
        self.requests = requests
        server = try HTTPServer(host: Self.address, port: 0, connectionLimit: 64) { _ in
            requests.count.withLock { $0 += 1 }
            return HTTPResponse(status: 200, text: "thanks\n")
        }
    }

    /// As host and port.
    var target: String { "\(Self.address):\(server.port)" }

    /// How many requests have arrived.
    var count: Int { requests.count.withLock { $0 } }

    func whileServing(_ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [server] in await server.run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    /// Whether it is reached from the node.
    func isReached() async throws -> Bool {
        try await HTTPClient.send("GET", "http://\(target)/", timeout: .seconds(5)).status == 200
    }
}
