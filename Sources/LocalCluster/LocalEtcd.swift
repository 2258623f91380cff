package import Etcd
internal import Foundation
internal import Glibc
internal import Processes
internal import Synchronization

/// A real etcd server on loopback, alone or as a member of a cluster.
package final class LocalEtcd: Sendable {
    /// What distinguishes one server from another.
    package struct Settings: Sendable {
        /// Its name in the cluster, and of its log.
        package var name = "local"
        /// For clients; nil for any port that is free.
        package var port: Int?
        /// The port for other members; nil for any that is free.
        package var peerPort: Int?
        /// All members, as `--initial-cluster` wants them; nil for a cluster of one.
        package var initialCluster: String?
        /// Added at the end.
        package var arguments: [String] = []
        /// With TLS for clients.
        package var usesTLS = false

        package init() {}
    }

    /// `host:port` for clients.
    package let endpoint: String
    /// Its name in the cluster.
    package let name: String
    /// Where its data is.
    package let dataDirectory: String
    /// The URL for other members.
    package let peerURL: String
    private let arguments: [String]
    private let directory: String
    private let usesTLS: Bool
    private let current: Mutex<LocalProcess>

    private init(
        _ settings: Settings, endpoint: String, dataDirectory: String, peerURL: String, arguments: [String],
        directory: String, process: LocalProcess
    ) {
        name = settings.name
        self.dataDirectory = dataDirectory
        self.peerURL = peerURL
        usesTLS = settings.usesTLS
        self.endpoint = endpoint
        self.arguments = arguments
        self.directory = directory
        current = Mutex(process)
    }

    /// Starts a cluster of one and waits until it answers.
    /// - Parameters:
    ///   - directory: for its data and its log.
    ///   - port: for clients; nil for any that is free. The port for other members is always any.
    package static func start(
        directory: String, port: Int? = nil, arguments: [String] = []
    ) async throws -> LocalEtcd {
        var settings = Settings()
        settings.port = port
        // One member is its own majority: it need not wait long for others to speak up.
        settings.arguments = ["--heartbeat-interval", "20", "--election-timeout", "200"] + arguments
        var attempts = 1
        while true {
            do {
                let etcd = try await launch(settings, directory: directory)
                try await etcd.waitUntilServing()
                return etcd
            } catch let error as ClusterError {
                // Somebody else may have taken a port that was free a moment ago.
                if port != nil || attempts == 3 { throw error }
                attempts += 1
            }
        }
    }

    /// Starts a server and does not wait for it.
    package static func launch(_ settings: Settings, directory: String) async throws -> LocalEtcd {
        let clientPort = try settings.port ?? FreePort.find()
        let peerPort = try settings.peerPort ?? FreePort.find()
        let client = "\(settings.usesTLS ? "https" : "http")://127.0.0.1:\(clientPort)"
        let peer = "http://127.0.0.1:\(peerPort)"
        let dataDirectory = "\(directory)/\(settings.name).etcd"
        let arguments =
            [
                "--name", settings.name, "--data-dir", dataDirectory,
                "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                "--initial-advertise-peer-urls", peer,
                "--initial-cluster", settings.initialCluster ?? "\(settings.name)=\(peer)", "--logger", "zap",
                "--log-level", "warn",
            ] + settings.arguments
        let process = try await LocalProcess.start(settings.name, "etcd", arguments, logs: directory)
        return LocalEtcd(
            settings, endpoint: "127.0.0.1:\(clientPort)", dataDirectory: dataDirectory, peerURL: peer,
            arguments: arguments, directory: directory, process: process)
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
        try await launchAgain()
        try await waitUntilServing()
    }

    /// Starts the server again, on the same data and ports, and does not wait for it.
    package func launchAgain() async throws {
        let process = try await LocalProcess.start(name, "etcd", arguments, logs: directory)
        current.withLock { $0 = process }
    }

    private var process: LocalProcess { current.withLock { $0 } }

    /// Waits until it answers a linearizable read.
    package func waitUntilServing(_ options: EtcdOptions = EtcdOptions()) async throws {
        let client = client(options)
        try await process.wait(until: "answer") { (try? await client.range(.key("health"))) != nil }
    }
}
