import Foundation
import GRPC
import HTTP
import LocalCluster
import Processes
import Router
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit

/// What atenet adds to a request for an actor that runs: beside the same nginx that passes requests on without asking anybody.
/// The actor is an nginx that answers at once; ateapi is played by the benchmark, since nobody asks it anything.
enum RouterBench {
    /// Of every answer.
    static let body = "ok, said the actor\n"
    private static let rounds = 5
    private static let clients = [1, 32]
    private static let goals = (added: Duration.microseconds(150), throughput: 0.9)
    private static func host(_ actor: String) -> String { "\(actor).\(HostName.domain)" }

    /// Where requests go, and whose processor time they cost.
    private struct Target {
        var name: String
        var port: Int
        var process: LocalProcess
        /// Another one that the requests pass through.
        var other: LocalProcess?
        var actor = "alice"
        var results: [Int: [LoadClient.Result]] = [:]
        /// Per request: of all processes, and of the first of them alone. That of nginx does nothing, and that of atenet is not
        /// nginx.
        var processor: [Int: [(all: Duration, first: Duration)]] = [:]
    }

    @Sendable static func run(_ options: BenchOptions) async throws {
        let directory = TemporaryDirectory()
        let actor = ActorAddress(ip: "127.0.0.1", port: try FreePort.find())
        let router = "127.0.0.1:\(try FreePort.find())"
        let api = try Server(
            address: "127.0.0.1:0", credentials: .insecure, methods: methods(actor, router))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await api.run() }
            try await compare(actor, router, api: "127.0.0.1:\(api.port)", directory.path)
            group.cancelAll()
        }
    }

    private static func compare(
        _ actor: ActorAddress, _ router: String, api: String, _ directory: String
    ) async throws {
        let port = try FreePort.find()
        let backend = try await nginx("actor", "listen \(actor); location / { return 200 \"\(body)\"; }", directory)
        var targets = [
            Target(name: "nginx", port: port, process: try await nginx("alone", passing(actor, at: port), directory))
        ]
        targets.append(try await atenet("atenet", api, directory))
        if FileManager.default.isExecutableFile(atPath: envoy) {
            targets.append(
                try await atenet("with Envoy", api, directory, proxy: ["--proxy", "envoy", "--envoy", envoy]))
        }
        let certificates = try await TestCertificates()
        targets.append(try await behindAnother(router, certificates, api, directory))
        let processes = [backend] + targets.flatMap { [$0.process] + ($0.other.map { [$0] } ?? []) }
        do {
            for target in targets {
                try await target.process.wait(until: "serve") {
                    let url = "http://127.0.0.1:\(target.port)/"
                    return
                        (try? await HTTPClient.send(
                            "GET", url, headers: ["Host": host(target.actor)], timeout: .seconds(1)))?
                        .status == 200
                }
            }
            try await measure(&targets)
        } catch {
            await uncancelled { for process in processes { await process.process.stop(grace: .seconds(5)) } }
            throw error
        }
        for process in processes { await process.process.stop(grace: .seconds(5)) }
    }

    /// Where `scripts/deps envoy` puts it, from the top of the repository.
    private static let envoy = ".local/envoy/envoy"

    private static func atenet(
        _ name: String, _ api: String, _ directory: String, proxy: [String] = []
    ) async throws -> Target {
        let port = try FreePort.find()
        let folder = name.replacing(" ", with: "-")
        let process = try await LocalProcess.start(
            folder, "\(BenchSystem.programs)/atenet",
            [
                "--http-listen-addr", "127.0.0.1:\(port)", "--ateapi-address", api, "--state-dir",
                "\(directory)/\(folder)", "--log-level", "warn", "--status-listen-addr", "none",
            ] + proxy, logs: directory)
        return Target(name: name, port: port, process: process)
    }

    /// Requests that go through the router of another machine, over TLS.
    private static func behindAnother(
        _ router: String, _ certificates: TestCertificates, _ api: String, _ directory: String
    ) async throws -> Target {
        try await certificates.issue("router", name: "router", alternativeName: "DNS:atenet", by: "ca")
        let files = [
            "--peer-cacert", certificates.path("ca.pem"), "--peer-cert", certificates.path("router.pem"),
            "--peer-key", certificates.path("router.key"),
        ]
        let far = try await atenet("the other", api, directory, proxy: files + ["--peer-listen-addr", router])
        var near = try await atenet("through another", api, directory, proxy: files)
        near.other = far.process
        near.actor = "bob"
        return near
    }

    private static func measure(_ targets: inout [Target]) async throws {
        for target in targets {
            _ = try await LoadClient.run(4, port: target.port, host: host(target.actor), requests: 500)
        }
        // They take turns, so that what else the machine does hits both.
        for _ in 0..<rounds {
            for count in clients {
                for index in targets.indices {
                    let requests = 8000 / count
                    let target = targets[index]
                    let pids = [target.process.process.pid] + (target.other.map { [$0.process.pid] } ?? [])
                    let before = processorTime(pids)
                    let result = try await LoadClient.run(
                        count, port: target.port, host: host(target.actor), requests: requests)
                    let after = processorTime(pids)
                    let all = (after.all - before.all) / (requests * count)
                    let first = (after.first - before.first) / (requests * count)
                    targets[index].results[count, default: []].append(result)
                    targets[index].processor[count, default: []].append((all, first))
                }
            }
        }
        show(targets)
    }

    private static func processorTime(_ pids: [Int32]) -> (all: Duration, first: Duration) {
        pids.reduce((.zero, .zero)) { sum, pid in
            (sum.0 + ProcessTree.processorTime(of: pid), sum.1 + ProcessTree.processorTimeAlone(of: pid))
        }
    }

    private static func show(_ targets: [Target]) {
        Report.header(
            "router: requests for an actor that runs, beside the same nginx alone; medians of \(rounds) rounds",
            [
                "clients", "", "p50", "p99", "requests/s", "CPU/request", "of the proxy", "p50 added", "throughput",
            ])
        for count in clients {
            func p50(_ target: Target) -> Duration {
                median(target.results[count, default: []].map { $0.latencies.quantile(0.5) })
            }
            func perSecond(_ target: Target) -> Double {
                median(target.results[count, default: []].map(\.perSecond))
            }
            for target in targets {
                let results = target.results[count, default: []]
                let processor = target.processor[count, default: []]
                Report.row([
                    "\(count)", target.name, p50(target).microseconds,
                    median(results.map { $0.latencies.quantile(0.99) }).microseconds, perSecond(target).digits(0),
                    median(processor.map(\.all)).microseconds,
                    median(processor.map { $0.all - $0.first }).microseconds,
                    (p50(target) - p50(targets[0])).microseconds,
                    (perSecond(target) / perSecond(targets[0])).digits(2),
                ])
            }
        }
        print(
            "goals: \(goals.added.microseconds) added at p50 with one client, \(goals.throughput) of the throughput with \(clients.last ?? 0)"
        )
    }

    private static func median<Value: Comparable>(_ values: [Value]) -> Value where Value: AdditiveArithmetic {
        values.isEmpty ? .zero : values.sorted()[values.count / 2]
    }

    /// As atenet tells its nginx, but without a question.
    private static func passing(_ actor: ActorAddress, at port: Int) -> String {
        """
        listen 127.0.0.1:\(port);
        client_max_body_size 0;
        location / {
            set $destination "\(actor)";
            proxy_pass http://$destination;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_buffering off;
        }
        """
    }

    private static func nginx(_ name: String, _ server: String, _ directory: String) async throws -> LocalProcess {
        let folder = "\(directory)/\(name)"
        try FileManager.default.createDirectory(atPath: "\(folder)/tmp", withIntermediateDirectories: true)
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \"\(folder)/tmp/\($0)\";" }.joined(separator: "\n")
        let text = """
            daemon off;
            pid "\(folder)/nginx.pid";
            worker_processes \(Nginx.workers);
            events { worker_connections 4096; }
            http {
                access_log off;
                \(paths)
                server { \(server) }
            }
            """
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/nginx.conf"))
        return try await LocalProcess.start(
            name, "/usr/sbin/nginx", ["-p", folder, "-c", "\(folder)/nginx.conf", "-e", "stderr"], logs: directory)
    }

    /// Of ateapi, what a router needs that knows where the actors run: alice here, and bob on the machine of another router. Both
    /// are the same server.
    private static func methods(_ actor: ActorAddress, _ router: String) -> [ServerMethod] {
        let workers = [("alice", nil), ("bob", router)].map { name, router in
            WorkerInfo(
                ref: WorkerRef(pool: PoolRef(namespace: "default", name: "small"), pod: "of-\(name)"), uid: "u",
                node: "n",
                ip: actor.ip, port: actor.port, version: 1, actor: ActorRef(atespace: "default", name: name),
                template: nil, isActorReady: true, routerAddress: router)
        }
        return [
            ServerMethod(RouterMethods.reportServed) { _, _ in EmptyResponse() },
            .stream(WatchMethods.workers) { _, writer, _ in
                try await writer.send(WorkersUpdate(revision: 1, isReset: true, workers: workers))
                try await Task.sleep(for: .seconds(3600))
            },
        ]
    }
}

extension Duration {
    var microseconds: String { (self / .microseconds(1) as Double).digits(0) + " µs" }
}
