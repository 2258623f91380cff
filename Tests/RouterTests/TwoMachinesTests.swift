import Foundation
import Glibc
import LocalCluster
import Processes
import Synchronization
import TestKit
import Testing

/// The real programs on two machines, which are network namespaces with a cable between them. Both give their actors the
/// same addresses of loopback, so nobody but the router beside it can reach an actor.
@Suite(.enabled(if: getuid() == 0, "it needs root, to make network namespaces"), .timeLimit(.minutes(3)))
struct TwoMachinesTests {
    private let directory = TemporaryDirectory()
    private let programs = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().path
    private let id = String(UUID().uuidString.lowercased().prefix(8))

    private enum Machine: String, CaseIterable {
        case near, far

        var address: String { self == .near ? "198.18.7.1" : "198.18.7.2" }
        var router: String { "\(address):8443" }
    }

    private static let etcd = "\(Machine.near.address):2379"
    private static let ateapi = "\(Machine.near.address):7300"

    private func namespace(_ machine: Machine) -> String { "two-\(id)-\(machine.rawValue)" }

    /// What an actor answers with: its machine, as the kernel names it, and how often it was asked.
    private static let actor = """
        #!/usr/bin/env python3
        import http.server, os
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                count = int(open("count").read()) if os.path.exists("count") else 0
                if self.path == "/": count += 1
                open("count", "w").write(str(count))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(f"{os.readlink('/proc/self/ns/net')} {os.environ['ATE_ADDRESS']} {count}".encode())
            def log_message(self, *arguments):
                pass
        os.chdir(os.environ["ATE_DURABLE_DIR"])
        http.server.ThreadingHTTPServer((os.environ["ATE_ADDRESS"], int(os.environ["ATE_PORT"])), Handler).serve_forever()
        """

    @Test func everyRouterReachesTheActorsOfAllMachinesAlsoAfterOneHasDied() async throws {
        let certificates = try await TestCertificates()
        try await certificates.makeAuthority("routers")
        try await certificates.issue("router", name: "router", alternativeName: "DNS:atenet", by: "routers")
        try await connected {
            try await running(.near, "etcd", etcd) {
                try await eventually("etcd answers", within: .seconds(30)) {
                    try await run(.near, "/usr/bin/etcdctl", ["--endpoints", Self.etcd, "endpoint", "health"]) != nil
                }
                let api = ["--grpc-listen-addr", Self.ateapi, "--insecure", "--etcd-endpoints", Self.etcd]
                try await running(.near, "\(programs)/ateapi", api) {
                    try await eventually("ateapi answers", within: .seconds(30)) {
                        try await atectl("get", "workers") != nil
                    }
                    try await prepare()
                    try await withMachine(.near, certificates) { try await exercise(certificates) }
                }
            }
        }
    }

    private func exercise(_ certificates: TestCertificates) async throws {
        var places: [String: String] = [:]
        try await withMachine(.far, certificates) {
            // Each machine has room for one.
            for actor in ["alice", "bob"] {
                places[actor] = try await answer(of: actor, from: .near).first
                _ = try #require(places[actor])
            }
            #expect(Set(places.values).count == 2)
            for machine in Machine.allCases {
                for actor in ["alice", "bob"] {
                    let answer = try await answer(of: actor, from: machine)
                    #expect(answer.first == places[actor], "\(actor) from \(machine)")
                    #expect(answer[1].hasPrefix("127.77."))
                }
            }
        }
        // The far machine is gone now. Who was there goes on here, from the last snapshot, once there is room.
        let here = try #require(try await run(.near, "/usr/bin/readlink", ["/proc/self/ns/net"]))
        let stayed = try #require(places.first { $0.value == here }?.key)
        let lost = try #require(places.first { $0.value != here }?.key)
        #expect(try await answer(of: stayed, from: .near)[2] == "4")
        _ = try #require(try await atectl("suspend", "actor", stayed))
        var counts: [String] = []
        try await eventually("\(lost) goes on", within: .seconds(60)) {
            counts = try await answer(of: lost, from: .near)
            return counts.first == here
        }
        #expect(counts[2] == "1")
    }

    private func prepare() async throws {
        let program = "\(directory.path)/where.py"
        try Self.actor.write(toFile: program, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
        let manifest = "\(directory.path)/manifest.yaml"
        try String(contentsOfFile: "examples/counter.yaml", encoding: .utf8)
            .replacing("[counter]", with: "[\(program)]")
            .replacing("/var/lib/substrate/snapshots", with: "\(directory.path)/snapshots")
            .write(toFile: manifest, atomically: true, encoding: .utf8)
        _ = try #require(try await atectl("apply", "-f", manifest))
        for actor in ["alice", "bob"] {
            _ = try #require(try await atectl("create", "actor", actor, "--template", "default/counter"))
        }
    }

    /// The agent and the router of a machine, which die without warning afterwards.
    private func withMachine(
        _ machine: Machine, _ certificates: TestCertificates, _ body: () async throws -> Void
    ) async throws {
        let agent = [
            "--pool", "default/small", "--node-name", machine.rawValue, "--workers", "1", "--runtime", "process",
            "--actor-addresses", "127.77.0.0/24", "--router-address", machine.router,
            "--state-dir", "\(directory.path)/\(machine)/atelet", "--snapshot-dir", "\(directory.path)/snapshots",
            "--grpc-listen-addr", "\(machine.address):7310", "--insecure", "--etcd-endpoints", Self.etcd,
        ]
        let router = [
            "--ateapi-address", Self.ateapi, "--state-dir", "\(directory.path)/\(machine)/atenet",
            "--peer-listen-addr", machine.router, "--peer-cacert", certificates.path("routers.pem"),
            "--peer-cert", certificates.path("router.pem"), "--peer-key", certificates.path("router.key"),
        ]
        try await running(machine, "\(programs)/atelet", agent + ["--status-listen-addr", "none"]) {
            try await running(machine, "\(programs)/atenet", router + ["--status-listen-addr", "none"]) {
                try await eventually("\(machine) is there", within: .seconds(30)) {
                    let workers = try await atectl("get", "workers") ?? ""
                    let answer = try await ask("nobody", from: machine)
                    return workers.contains("\(machine)-0") && answer?.last == "404"
                }
                try await body()
            }
        }
    }

    // MARK: Programs in namespaces

    /// Runs `body` with the machines connected.
    private func connected(_ body: () async throws -> Void) async throws {
        let near = namespace(.near)
        let far = namespace(.far)
        let script = """
            ip netns add \(near); ip netns add \(far)
            ip -n \(near) link add eth0 type veth peer name eth0 netns \(far)
            for place in \(near)/\(Machine.near.address) \(far)/\(Machine.far.address); do
                ip -n ${place%/*} address add ${place#*/}/24 dev eth0
                ip -n ${place%/*} link set eth0 up
                ip -n ${place%/*} link set lo up
            done
            """
        do {
            try await Tool.run("sh", ["-ec", script], logs: directory.path)
            try await body()
        } catch {
            await disconnect()
            throw error
        }
        await disconnect()
    }

    private func disconnect() async {
        for machine in Machine.allCases {
            try? await Tool.run("ip", ["netns", "delete", namespace(machine)], logs: directory.path)
        }
    }

    private func command(_ machine: Machine, _ program: String, _ arguments: [String]) -> [String] {
        ["netns", "exec", namespace(machine), program] + arguments
    }

    /// Runs `body` beside a program, and kills that.
    private func running(
        _ machine: Machine, _ program: String, _ arguments: [String], _ body: () async throws -> Void
    ) async throws {
        let name = "\(machine)-\(program.split(separator: "/").last ?? "")"
        let process = try await LocalProcess.start(
            name, "/usr/sbin/ip", command(machine, program, arguments), logs: directory.path)
        do {
            try await body()
        } catch {
            await process.process.killAndWait()
            throw DidNotHappen(description: "\(error)\n\(name):\n\(process.lastLines)")
        }
        await process.process.killAndWait()
    }

    private var etcd: [String] {
        [
            "--data-dir", "\(directory.path)/etcd", "--listen-client-urls", "http://\(Self.etcd)",
            "--advertise-client-urls", "http://\(Self.etcd)", "--listen-peer-urls", "http://127.0.0.1:2380",
        ]
    }

    /// What a program prints; nil when it fails.
    private func run(_ machine: Machine, _ program: String, _ arguments: [String]) async throws -> String? {
        let lines = Mutex<[String]>([])
        let process = try await ChildProcess.start(
            Command(
                "/usr/sbin/ip", command(machine, program, arguments),
                environment: ["PATH": "/usr/bin:/bin", "ETCDCTL_API": "3"],
                output: .lines { line in lines.withLock { $0.append(line) } }))
        guard await process.wait() == .exited(code: 0) else { return nil }
        return lines.withLock { $0.joined(separator: "\n") }
    }

    private func atectl(_ arguments: String...) async throws -> String? {
        try await run(.near, "\(programs)/atectl", arguments + ["--endpoint", Self.ateapi])
    }

    /// The words of a router's answer, and its status.
    private func ask(_ actor: String, from machine: Machine) async throws -> [String]? {
        try await run(
            machine, "/usr/bin/curl",
            [
                "-s", "-m", "30", "-w", " %{http_code}", "-H", "ate-target-actor: default/\(actor)",
                "http://127.0.0.1:8000/",
            ])?.split(separator: " ").map(String.init)
    }

    /// The actor's answer: its machine, its address, how often it was asked.
    private func answer(of actor: String, from machine: Machine) async throws -> [String] {
        let words = try await ask(actor, from: machine) ?? []
        return words.count == 4 && words.last == "200" ? words : ["no answer: \(words.joined(separator: " "))", "", ""]
    }
}
