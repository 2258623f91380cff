import Etcd
import Foundation
import GRPC
import Glibc
import LocalCluster
import Processes
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit

/// Three etcd, three ateapi and four atelets with ten workers each, as processes of their own on loopback. What the programs
/// say to etcd and to nodes goes through proxies, each with its own to each member.
final class SoakCluster: Sendable {
    static let replicas = 3
    static let nodes = 4
    static let workersPerNode = 10
    static let pool = PoolRef(namespace: "default", name: "soak")
    static let template = TemplateRef(namespace: "default", name: "witness")

    let directory: String
    let etcd: LocalEtcdCluster
    let replicas: [Replica]
    let nodes: [Node]

    struct Replica: Sendable {
        let program: SoakProgram
        let channel: Channel
        let address: String
        /// Its ways to the members of etcd.
        let ways: [FaultProxy]
    }

    struct Node: Sendable {
        let program: SoakProgram
        let ways: [FaultProxy]
        /// How replicas get to it.
        let entrance: FaultProxy
    }

    private init(directory: String, etcd: LocalEtcdCluster, replicas: [Replica], nodes: [Node]) {
        self.directory = directory
        self.etcd = etcd
        self.replicas = replicas
        self.nodes = nodes
    }

    /// Starts etcd, and prepares the rest.
    static func start(directory: String) async throws -> SoakCluster {
        try hideBubblewrap(directory)
        let etcd = try await LocalEtcdCluster.start(directory: "\(directory)/etcd")
        do {
            let replicas = try (0..<replicas).map { try replica($0, etcd, directory) }
            let nodes = try (0..<nodes).map { try node($0, etcd, directory) }
            return SoakCluster(directory: directory, etcd: etcd, replicas: replicas, nodes: nodes)
        } catch {
            await etcd.kill()
            throw error
        }
    }

    private static func replica(_ index: Int, _ etcd: LocalEtcdCluster, _ directory: String) throws -> Replica {
        let address = "127.0.0.1:\(try FreePort.find())"
        let ways = try etcd.endpoints.map { try FaultProxy(target: $0) }
        let program = program(
            "ateapi-\(index)", "ateapi",
            [
                "--grpc-listen-addr", address, "--status-listen-addr", "none",
                "--etcd-endpoints", ways.rotated(by: index).joined(separator: ","),
                // Debian's etcd loses the event of a deletion that is compacted at once, and only the sweep finds it.
                "--sweep-interval", "5s",
                // A start takes milliseconds here.
                "--answer-limit", "20s",
            ], directory)
        return Replica(
            program: program, channel: Channel(target: address, credentials: .insecure), address: address, ways: ways)
    }

    private static func node(_ index: Int, _ etcd: LocalEtcdCluster, _ directory: String) throws -> Node {
        let port = try FreePort.find()
        let ways = try etcd.endpoints.map { try FaultProxy(target: $0) }
        let entrance = try FaultProxy(target: "127.0.0.1:\(port)")
        let program = program(
            "atelet-\(index)", "atelet",
            [
                "--pool", "\(pool)", "--node-name", "node-\(index)", "--workers", "\(workersPerNode)", "--drain-grace",
                "3s",
                "--runtime", "process", "--state-dir", "\(directory)/node-\(index)", "--snapshot-dir",
                "\(directory)/snapshots",
                "--actor-addresses", "127.\(1 + Int(getpid()) % 200).\(index * 64).0/18",
                "--status-listen-addr", "none",
                "--grpc-listen-addr", "127.0.0.1:\(port)", "--advertise-addr", entrance.endpoint,
                "--etcd-endpoints", ways.rotated(by: index).joined(separator: ","),
            ], directory)
        return Node(program: program, ways: ways, entrance: entrance)
    }

    private static func program(
        _ name: String, _ program: String, _ arguments: [String], _ directory: String
    ) -> SoakProgram {
        SoakProgram(name) {
            var environment = ProcessInfo.processInfo.environment
            // Where the witness is.
            let path = "\(SoakSettings.programs):\(environment["PATH"] ?? "/usr/bin:/bin")"
            environment["PATH"] = "\(tools(directory)):\(path)"
            return try await LocalProcess.start(
                name, "\(SoakSettings.programs)/\(program)", arguments, logs: "\(directory)/logs",
                environment: environment)
        }
    }

    private static func tools(_ directory: String) -> String { "\(directory)/tools" }

    /// A bubblewrap that does not work, so that actors are plain processes: in a real one they write nowhere but in their durable
    /// directories, and can bear no witness.
    private static func hideBubblewrap(_ directory: String) throws {
        let path = "\(tools(directory))/bwrap"
        try FileManager.default.createDirectory(atPath: tools(directory), withIntermediateDirectories: true)
        try "#!/bin/sh\nexit 1\n".write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    /// Where the actors bear witness, one file for each uid.
    var testimonies: String { "\(directory)/testimonies" }
    var snapshots: String { "\(directory)/snapshots" }
    var programs: [SoakProgram] { replicas.map(\.program) + nodes.map(\.program) }
    /// Straight to etcd, past the proxies.
    var store: Store { Store(etcd: etcd.client()) }

    /// Starts the programs and waits until they serve.
    func startPrograms() async throws {
        try FileManager.default.createDirectory(atPath: testimonies, withIntermediateDirectories: true)
        for program in programs { try await program.start() }
        for replica in replicas {
            try await eventually("\(replica.program.name) serves", within: .seconds(60)) {
                let request = AtespaceRequest(name: Atespace.defaultName)
                return (try? await replica.channel.call(ControlMethods.getAtespace, request, timeout: .seconds(1)))
                    != nil
            }
        }
        let channel = replicas[0].channel
        _ = try await channel.call(
            ResourcesMethods.applyPool,
            PoolMessage(
                pool: WorkerPool(
                    ref: Self.pool, labels: ["size": "small"], replicas: Self.nodes * Self.workersPerNode,
                    sandboxClass: .process)), timeout: .seconds(10))
        let witness = Container(
            name: "witness", command: ["witness"],
            environment: [Container.Variable(name: "WITNESS_DIRECTORY", value: testimonies)])
        _ = try await channel.call(
            ResourcesMethods.applyTemplate,
            TemplateMessage(
                template: ActorTemplate(
                    ref: Self.template, containers: [witness], snapshotLocation: "file://\(snapshots)",
                    onCommit: .data, sandboxClass: .process)), timeout: .seconds(10))
        try await waitForWorkers(within: .seconds(60))
    }

    /// Waits until every replica knows every worker.
    func waitForWorkers(within limit: Duration) async throws {
        for replica in replicas {
            try await eventually("\(replica.program.name) knows all workers", within: limit) {
                let answer = try? await replica.channel.call(
                    ControlMethods.listWorkers, EmptyRequest(), timeout: .seconds(1))
                return answer?.workers.count { !$0.uid.isEmpty } == Self.nodes * Self.workersPerNode
            }
        }
    }

    /// Ends all faults: everything runs, and every way is open.
    func heal() async throws {
        for proxy in replicas.flatMap(\.ways) + nodes.flatMap({ $0.ways + [$0.entrance] }) {
            proxy.set { $0 = FaultProxy.Faults() }
        }
        for program in programs {
            program.thaw()
            try await program.start()
        }
        for member in etcd.members {
            member.resume()
            try await member.waitUntilServing()
        }
    }

    /// Stops everything that was started.
    func stop() async {
        await withDiscardingTaskGroup { group in
            for program in programs { group.addTask { await program.stop() } }
        }
        await etcd.kill()
    }
}

extension [FaultProxy] {
    /// The addresses, beginning with another one for each program.
    fileprivate func rotated(by index: Int) -> [String] {
        let start = index % count
        return (self[start...] + self[..<start]).map(\.endpoint)
    }
}
