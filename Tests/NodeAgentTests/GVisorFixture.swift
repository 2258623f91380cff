import Etcd
import Foundation
import GRPC
import Glibc
import HTTP
import LocalCluster
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// A node that runs actors in gVisor: everything real but etcd.
struct GVisorFixture {
    let files: TemporaryDirectory
    let directory: StateDirectory
    let runtime: GVisorRuntime
    let log = LogRecorder()
    let subnet: String
    private let prefix: String

    /// Why tests of it cannot run here; nil when they can.
    static let obstacle: String? = {
        if getuid() != 0 { return "it needs root" }
        for tool in ["/usr/bin/runsc", "/usr/sbin/nft", "/usr/bin/python3"] where access(tool, X_OK) != 0 {
            return "there is no \(tool)"
        }
        return nil
    }()

    /// - Parameters:
    ///   - snapshots: the root of external snapshots; nil for one of its own.
    ///   - memoryLimit: in MiB.
    ///   - processLimit: of an actor, with its sandbox's own.
    init(snapshots: String? = nil, memoryLimit: Int = 512, processLimit: Int = 2000) throws {
        files = TemporaryDirectory()
        directory = try StateDirectory(
            path: "\(files.path)/state", newID: { UUID().uuidString.lowercased().replacing("-", with: "") })
        // Of the range that is set apart for benchmarks of networks; tests run side by side.
        prefix = "198.\(Int.random(in: 18...19)).\(Int.random(in: 0...255))"
        subnet = "\(prefix).0/24"
        var options = GVisorRuntime.Options(subnets: [subnet], memoryLimit: memoryLimit << 20)
        options.processLimit = processLimit
        runtime = GVisorRuntime(
            directory: directory, snapshots: SnapshotDirectory(root: snapshots ?? "\(files.path)/snapshots"),
            options: options, log: log.log)
    }

    /// Runs `body` on a node without leftovers, and removes all of it.
    func use(_ body: () async throws -> Void) async throws {
        try await runtime.killLeftovers()
        do { try await body() } catch {
            // What a sandbox says that dies is in no error.
            for line in log.lines { print(line) }
            try? await removeAll()
            throw error
        }
        try await removeAll()
    }

    /// The same beside a watchdog, under a lease that outlasts the test.
    func useGuarded(_ body: (ProcessWatchdog, LeaseHold) async throws -> Void) async throws {
        let watchdog = ProcessWatchdog(directory: directory, executable: WatchdogTests.atelet)
        try await watchdog.start()
        let hold = LeaseHold(duration: .seconds(600), sinceSent: ContinuousClock().stopwatch())
        #expect(await watchdog.begin(hold))
        do { try await use { try await body(watchdog, hold) } } catch {
            try? await WatchdogTests.end(watchdog)
            throw error
        }
        try await WatchdogTests.end(watchdog)
    }

    private func removeAll() async throws {
        _ = try await BlockingThread.result { [directory] in try directory.killProcesses() }
        try await runtime.clear()
    }

    func uri(_ nonce: String) -> SnapshotURI { SnapshotURI("file://\(runtime.snapshots.root)/uid/\(nonce)") }

    func address(_ number: Int) -> ActorAddress { ActorAddress(ip: "\(prefix).\(number)", port: 80) }

    func activation(
        _ epoch: Int64, pod: String = "node-0", from snapshot: SnapshotURI? = nil, command: [String]? = nil
    ) -> Activation {
        let container = Container(
            name: "main", command: command ?? ["/usr/bin/python3", "-c", Self.actor],
            readiness: command == nil ? Container.Readiness(path: "/readyz", port: 80) : nil)
        return Activation(
            pod: pod, epoch: Epoch(epoch),
            workload: Workload(
                actor: ActorRef(atespace: "default", name: "alice"), actorUID: "uid",
                template: TemplateRef(namespace: "n", name: "t"), containers: [container]),
            address: address(Int(epoch % 250) + 1), snapshot: snapshot,
            output: ActorOutput(epoch: Epoch(epoch), workerPod: pod, wallClock: { 0 }),
            // Nobody else may have the actor.
            resume: { [id = directory.id] in
                ActorFreezer.letGoOn(ActorCgroup(ActivationID(pod: pod, epoch: Epoch(epoch)), directoryID: id))
            })
    }

    /// Starts an actor that answers requests.
    func start(_ epoch: Int64, pod: String = "node-0", from snapshot: SnapshotURI? = nil) async throws -> GVisorActor {
        let activation = activation(epoch, pod: pod, from: snapshot)
        return GVisorActor(sandbox: try await runtime.start(activation), activation: activation)
    }

    /// All that an activation can leave on a machine, as lines.
    func traces() throws -> [String] { try GVisorTraces(path: directory.path, id: directory.id).all }

    /// What belongs to an activation alone, not to its worker.
    func activationTraces() throws -> [String] {
        try traces().filter { $0.hasPrefix("process ") || $0.contains("/node-") || $0.hasPrefix("node-0/") }
    }

    /// Remembers what it is told, in memory only; counts all the time; writes a log that grows; and misbehaves when asked to.
    static let actor = """
        import http.server, os, socketserver, sys, threading, time, urllib.parse, socket
        words, kept, count, lines = [], [], 0, 0
        def run():
            global count
            while True: count += 1
        threading.Thread(target=run, daemon=True).start()
        writing = threading.Lock()
        def log():
            global lines
            with open("log", "a") as file:
                while True:
                    with writing: file.write(f"{lines}\\n"); file.flush(); lines += 1
                    time.sleep(0.001)
        def logged():
            with writing:
                whole = open("log").read().split() == [str(number) for number in range(lines)]
                return f"{lines if whole else 'damaged'}"
        threading.Thread(target=log, daemon=True).start()
        def reaches(place):
            host, port = place.split(":")
            try: socket.create_connection((host, int(port)), 0.3).close(); return "reached"
            except Exception as error: return type(error).__name__
        def bomb():
            made = 0
            try:
                while True:
                    if os.fork() == 0: time.sleep(600)
                    made += 1
            except OSError: return str(made)
        def hog():
            kept = []
            while True: kept.append(b"x" * (16 << 20))
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_GET(self):
                path, _, query = self.path.partition("?")
                if path == "/remember": words.append(query); text = ",".join(words)
                elif path == "/words": text = ",".join(words)
                elif path == "/count": text = str(count)
                elif path == "/logged": text = logged()
                elif path == "/reach": text = reaches(query)
                elif path == "/read":
                    try: text = ",".join(sorted(os.listdir(query)))
                    except Exception as error: text = type(error).__name__
                elif path == "/write":
                    try: open(query, "w").write("x"); text = "written"
                    except Exception as error: text = type(error).__name__
                elif path == "/fill": kept.append(os.urandom(int(query) << 20)); text = "filled"
                elif path == "/delete": kept.append(open(query, "w")); os.unlink(query); text = "deleted"
                elif path == "/udp":
                    kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)); kept[-1].connect(("192.0.2.1", 9))
                    text = kept[-1].getsockname()[0]
                elif path == "/connect":
                    host, port = query.split(":"); kept.append(socket.create_connection((host, int(port)), 2)); kept[-1].settimeout(5)
                    kept[-1].sendall(b"a"); text = kept[-1].recv(10).decode()
                elif path == "/receive":
                    try: text = kept[-1].recv(10).decode()
                    except Exception as error: text = type(error).__name__
                elif path == "/bind":
                    kept.append(socket.socket()); kept[-1].bind((query, 8099)); kept[-1].listen(); text = "bound"
                elif path == "/forget": kept.clear(); text = "forgotten"
                elif path == "/bomb": text = bomb()
                elif path == "/hog": text = hog()
                else: text = "ready"
                body = text.encode()
                self.send_response(200); self.send_header("Content-Length", str(len(body)))
                if "close" in query: self.send_header("Connection", "close")
                self.end_headers(); self.wfile.write(body)
            def log_message(self, *rest): pass
        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads, request_queue_size = True, True, 64
        Server((os.environ["ATE_ADDRESS"], int(os.environ["ATE_PORT"])), Handler).serve_forever()
        """
}

extension ActorCgroup {
    /// How often a process of it was refused another one.
    var refusals: Int {
        let text = KernelFile.contents("\(paths[0])/pids.events").map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(separator: "\n").compactMap { line in
            line.hasPrefix("max ") ? Int(line.dropFirst(4)) : nil
        }.first ?? 0
    }
}

/// An actor of `GVisorFixture` that runs.
struct GVisorActor {
    let sandbox: any Sandbox
    let activation: Activation

    /// - Parameter path: with a query, if need be.
    func ask(_ path: String, within limit: Duration = .seconds(10)) async throws -> String {
        let address = activation.address
        let response = try await HTTPClient.send("GET", "http://\(address.ip):\(address.port)\(path)", timeout: limit)
        return String(decoding: response.body, as: UTF8.self)
    }
}
