package import Etcd
internal import Foundation
internal import Glibc
internal import Processes
internal import Synchronization

/// A real etcd server of one member, on loopback.
package final class LocalEtcd: Sendable {
    /// `host:port` for clients.
    package let endpoint: String
    private let arguments: [String]
    private let directory: String
    private let current: Mutex<LocalProcess>

    private init(endpoint: String, arguments: [String], directory: String, process: LocalProcess) {
        self.endpoint = endpoint
        self.arguments = arguments
        self.directory = directory
        current = Mutex(process)
    }

    /// Starts a server and waits until it answers.
    /// - Parameters:
    ///   - directory: for its data and its log.
    ///   - port: for clients; nil for any that is free. The port for other members is always any.
    package static func start(directory: String, port: Int? = nil) async throws -> LocalEtcd {
        var attempts = 1
        while true {
            do {
                return try await startOnce(directory: directory, port: port)
            } catch let error as ClusterError {
                // Somebody else may have taken a port that was free a moment ago.
                if port != nil || attempts == 3 { throw error }
                attempts += 1
            }
        }
    }

    private static func startOnce(directory: String, port: Int?) async throws -> LocalEtcd {
        let clientPort = try port ?? FreePort.find()
        let peerPort = try FreePort.find()
        let client = "http://127.0.0.1:\(clientPort)"
        let peer = "http://127.0.0.1:\(peerPort)"
        let arguments = [
            "--name", "local", "--data-dir", "\(directory)/etcd", "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", "local=\(peer)", "--logger", "zap", "--log-level", "warn",
            // One member is its own majority: it need not wait long for others to speak up.
            "--heartbeat-interval", "20", "--election-timeout", "200",
        ]
        let process = try await LocalProcess.start("etcd", "etcd", arguments, logs: directory)
        let etcd = LocalEtcd(
            endpoint: "127.0.0.1:\(clientPort)", arguments: arguments, directory: directory, process: process)
        try await etcd.waitUntilServing()
        return etcd
    }

    /// A client of it.
    package func client(_ options: EtcdOptions = EtcdOptions()) -> EtcdClient {
        EtcdClient(endpoints: [endpoint], options: options)
    }

    /// Kills the server at once.
    package func kill() async { await process.process.killAndWait() }

    /// Asks the server to stop, and waits until it has.
    package func stop() async { await process.process.stop(grace: .seconds(5)) }

    /// Stops the server where it is; returns when it stands still.
    package func pause() async throws {
        let process = process
        process.process.signal(SIGSTOP)
        try await process.wait(until: "stop") {
            let status = FileManager.default.contents(atPath: "/proc/\(process.process.pid)/stat") ?? Data()
            // The state follows the name in parentheses.
            return String(decoding: status, as: UTF8.self).split(separator: ")").last?.hasPrefix(" T") == true
        }
    }

    /// Lets it go on.
    package func resume() { process.process.signal(SIGCONT) }

    /// Starts the server again, on the same data and ports.
    package func restart() async throws {
        let process = try await LocalProcess.start("etcd", "etcd", arguments, logs: directory)
        current.withLock { $0 = process }
        try await waitUntilServing()
    }

    private var process: LocalProcess { current.withLock { $0 } }

    private func waitUntilServing() async throws {
        let client = client()
        try await process.wait(until: "answer") { (try? await client.range(.key("health"))) != nil }
    }
}
