internal import Etcd
internal import Foundation
package import GRPC
internal import Glibc
internal import HTTP
package import Processes
internal import SubstrateAPI
internal import SubstrateModel
internal import Synchronization

/// The whole system on loopback: etcd, ateapi, atelets with two workers each, atenet.
package final class LocalStack: Sendable {
    /// What runs the actors.
    package enum Runtime: String, Sendable {
        case gvisor, process
    }

    /// What it is made of.
    package struct Shape: Sendable {
        /// At most 4.
        package var nodes: Int
        package var replicas: Int
        package var runtime: Runtime

        package init(nodes: Int = 2, replicas: Int = 1, runtime: Runtime = .process) {
            self.nodes = nodes
            self.replicas = replicas
            self.runtime = runtime
        }
    }

    /// Ports; nil for any that is free.
    package struct Ports: Sendable {
        package var etcd: Int?
        package var api: Int?
        package var router: Int?

        package init(etcd: Int? = nil, api: Int? = nil, router: Int? = nil) {
            self.etcd = etcd
            self.api = api
            self.router = router
        }
    }

    package static let workersPerNode = 2

    package let directory: String
    package let etcdAddress: String
    /// All replicas of ateapi, as a target of gRPC: whoever is given it goes to another one when the first is gone.
    package let apiAddress: String
    package let routerAddress: String
    /// The names of the nodes.
    package let nodes: [String]
    /// To ateapi.
    package let channel: Channel
    /// The etcd server.
    package let etcd: LocalEtcd
    private let programs: String
    private let addressBlock: Int
    private let replicas: [String]
    private let runtime: Runtime
    private let processes = Mutex<[String: LocalProcess]>([:])
    private let statusAddresses = Mutex<[String: String]>([:])

    private init(
        directory: String, programs: String, etcd: LocalEtcd, replicas: [String], routerAddress: String,
        addressBlock: Int, _ shape: Shape
    ) {
        self.directory = directory
        self.programs = programs
        self.addressBlock = addressBlock
        self.etcd = etcd
        self.replicas = replicas
        apiAddress = replicas.count == 1 ? replicas[0] : "ipv4:" + replicas.joined(separator: ",")
        nodes = Self.nodeNames(shape.nodes)
        runtime = shape.runtime
        self.routerAddress = routerAddress
        etcdAddress = etcd.endpoint
        channel = Channel(target: apiAddress, credentials: .insecure)
    }

    private static func nodeNames(_ count: Int) -> [String] {
        (0..<UInt8(count)).map { "node-\(UnicodeScalar(UInt8(ascii: "a") + $0))" }
    }

    /// Starts everything and waits until it serves.
    /// - Parameters:
    ///   - shape: how much of what; the first replica of ateapi gets the given port.
    ///   - directory: absolute; for data, snapshots and logs.
    ///   - programs: the directory of the built programs.
    ///   - addressBlock: below 256; part of the actors' addresses, so that two stacks can run side by side.
    ///   - progress: told what is being waited for.
    package static func start(
        _ shape: Shape = Shape(), directory: String, programs: String, ports: Ports = Ports(), addressBlock: Int,
        progress: (String) -> Void = { _ in }
    ) async throws -> LocalStack {
        progress("etcd")
        let etcd = try await LocalEtcd.start(directory: "\(directory)/etcd", port: ports.etcd)
        let replicas = try (0..<shape.replicas).map { number in
            "127.0.0.1:\(try (number == 0 ? ports.api : nil) ?? FreePort.find())"
        }
        let routerPort = try ports.router ?? FreePort.find()
        let stack = LocalStack(
            directory: directory, programs: programs, etcd: etcd, replicas: replicas,
            routerAddress: "127.0.0.1:\(routerPort)", addressBlock: addressBlock, shape)
        do {
            try await stack.startPrograms(progress: progress)
            return stack
        } catch {
            await stack.stop()
            throw error
        }
    }

    /// Starts everything but etcd and waits until it serves.
    package func startPrograms(progress: (String) -> Void = { _ in }) async throws {
        if runtime == .gvisor { try await LocalImage.make(of: "\(programs)/helpdesk", in: helpdeskImage) }
        progress("ateapi")
        for (number, address) in replicas.enumerated() { try await startReplica(number, at: address) }
        for (index, node) in nodes.enumerated() {
            progress("atelet \(node)")
            try await startNode(node, addresses: addresses(ofNode: index))
        }
        progress("atenet")
        try await startRouter()
        progress("the workers")
        try await waitForWorkers()
    }

    /// Stops everything in order, and kills what does not stop.
    package func stop() async {
        await stopPrograms()
        await etcd.stop()
    }

    /// Stops everything but etcd.
    package func stopPrograms() async {
        let running = processes.withLock { processes in
            defer { processes = [:] }
            return processes
        }
        for name in ["atenet"] + nodes.map({ "atelet-\($0)" }) + replicas.indices.map(Self.replicaName) {
            await running[name]?.process.stop(grace: .seconds(10))
        }
        await clearNodes()
    }

    /// Removes what agents that were killed have left in the kernel.
    private func clearNodes() async {
        guard runtime == .gvisor else { return }
        for (index, node) in nodes.enumerated() {
            let process = try? await ChildProcess.start(
                Command(
                    "\(programs)/atelet", ["clear", "\(directory)/\(node)", addresses(ofNode: index)],
                    environment: ProcessInfo.processInfo.environment))
            await process?.wait()
        }
    }

    /// Kills the agent of a node without warning.
    package func killNode(_ node: String) async { await process("atelet-\(node)")?.process.killAndWait() }

    /// Asks the agent of a node to stop, and waits until it has.
    package func stopNode(_ node: String) async { await process("atelet-\(node)")?.process.stop(grace: .seconds(40)) }

    /// Kills all replicas of ateapi without warning.
    package func killReplicas() async {
        for number in replicas.indices { await process(Self.replicaName(number))?.process.killAndWait() }
    }

    /// Starts the replicas of ateapi again that were killed, and waits until they serve.
    package func restartReplicas() async throws {
        for (number, address) in replicas.enumerated() { try await startReplica(number, at: address) }
    }

    /// Waits until one of the programs has ended by itself, and says which.
    package func waitForFailure() async -> String? {
        let running = processes.withLock { Array($0.values) }
        return await withTaskGroup(of: String?.self) { group in
            for process in running {
                group.addTask { await process.process.wait().map { "\(process.name) \($0):\n\(process.lastLines)" } }
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }

    /// Runs atectl against this stack; returns what it printed and how it ended.
    package func atectl(_ arguments: [String]) async throws -> (output: String, status: ExitStatus?) {
        let lines = Mutex<[String]>([])
        let process = try await ChildProcess.start(
            Command(
                "\(programs)/atectl", arguments + ["--endpoint", apiAddress],
                environment: ProcessInfo.processInfo.environment,
                output: .lines { line in lines.withLock { $0.append(line) } }))
        let status = await process.wait()
        return (lines.withLock { $0.joined(separator: "\n") }, status)
    }

    /// The example's manifest, with snapshots kept in this stack's directory, and for the runtime that this stack has.
    /// - Parameter example: its path.
    package func manifest(of example: String) throws -> String {
        guard let text = FileManager.default.contents(atPath: example).map({ String(decoding: $0, as: UTF8.self) })
        else {
            throw ClusterError("\(example) is not there: run this from the top of the repository")
        }
        let file = "\(directory)/\(URL(fileURLWithPath: example).lastPathComponent)"
        var own = text.replacing("file:///var/lib/substrate/snapshots", with: "file://\(snapshots)")
        switch runtime {
        case .gvisor:
            // This repository may lie where no actor sees it, as in somebody's home.
            own = own.replacing(
                "command: [helpdesk]\n",
                with: """
                    image: rootfs:\(helpdeskImage)
                          command: [\(LocalImage.program)]
                          env:
                            - name: LD_LIBRARY_PATH
                              value: \(LocalImage.libraries)

                    """)
        case .process:
            own = own.replacing("sandboxClass: gvisor", with: "sandboxClass: process")
                .replacing(": Full\n", with: ": Data\n")
        }
        try Data(own.utf8).write(to: URL(fileURLWithPath: file))
        return file
    }

    /// Where a program has its status page: `ateapi`, `ateapi-2`, `atelet-node-a`, `atenet`.
    package func statusAddress(of program: String) -> String? { statusAddresses.withLock { $0[program] } }

    private var snapshots: String { "\(directory)/snapshots" }
    private var images: String { "\(directory)/images" }
    private var helpdeskImage: String { "\(images)/helpdesk" }

    private func process(_ name: String) -> LocalProcess? { processes.withLock { $0[name] } }

    @discardableResult
    private func launch(_ name: String, _ program: String, _ arguments: [String]) async throws -> LocalProcess {
        var environment = ProcessInfo.processInfo.environment
        // Where the example's actors are.
        environment["PATH"] = "\(programs):\(environment["PATH"] ?? "/usr/bin:/bin")"
        let status = "127.0.0.1:\(try FreePort.find())"
        let arguments = arguments + ["--status-listen-addr", status]
        statusAddresses.withLock { $0[name] = status }
        let process = try await LocalProcess.start(
            name, "\(programs)/\(program)", arguments, logs: "\(directory)/logs", environment: environment)
        processes.withLock { $0[name] = process }
        return process
    }

    private static func replicaName(_ number: Int) -> String { number == 0 ? "ateapi" : "ateapi-\(number + 1)" }

    private func startReplica(_ number: Int, at address: String) async throws {
        let process = try await launch(
            Self.replicaName(number), "ateapi", ["--grpc-listen-addr", address, "--etcd-endpoints", etcdAddress])
        let own = Channel(target: address, credentials: .insecure)
        try await process.wait(until: "serve") {
            let request = AtespaceRequest(name: Atespace.defaultName)
            return (try? await own.call(ControlMethods.getAtespace, request, timeout: .seconds(1))) != nil
        }
    }

    private func addresses(ofNode index: Int) -> String {
        switch runtime {
        case .process: "127.\(addressBlock).\(index * 64).0/18"
        // Of the block that RFC 2544 has set aside for tests of networks: room for 16 stacks, each of whose nodes can start
        // 127 actors a minute.
        case .gvisor:
            "198.\(18 + addressBlock % 16 / 8).\(addressBlock % 8 * 32 + index * 8).0/21"
        }
    }

    private func startNode(_ node: String, addresses: String) async throws {
        try await launch(
            "atelet-\(node)", "atelet",
            [
                "--pool", "default/small", "--node-name", node, "--workers", "\(Self.workersPerNode)",
                "--runtime", runtime.rawValue, "--images", images, "--state-dir", "\(directory)/\(node)",
                "--snapshot-dir", snapshots,
                "--actor-addresses", addresses,
                "--etcd-endpoints", etcdAddress,
            ])
    }

    private func startRouter() async throws {
        let process = try await launch(
            "atenet", "atenet",
            ["--http-listen-addr", routerAddress, "--ateapi-address", apiAddress, "--state-dir", "\(directory)/atenet"])
        try await process.wait(until: "serve") { [routerAddress] in
            // Not a host name of an actor, so the router itself answers.
            let answer = try? await HTTPClient.send("GET", "http://\(routerAddress)/", timeout: .seconds(1))
            return answer?.status == 404
        }
    }

    private func waitForWorkers() async throws {
        guard let last = process("atelet-\(nodes.last ?? "")") else { return }
        let expected = nodes.count * Self.workersPerNode
        try await last.wait(until: "offer its workers") { [channel] in
            let response = try? await channel.call(
                ControlMethods.listWorkers, EmptyRequest(), timeout: .seconds(1))
            return response?.workers.count { !$0.uid.isEmpty } == expected
        }
    }
}
