import Foundation
import GRPC
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit

/// More and more actors in one etcd, nearly all of them suspended: what making, listing and resuming them costs, and what memory
/// etcd and ateapi take. Nodes answer at once.
enum ScaleBench {
    private static let sizes = [10_000, 100_000, 1_000_000]
    private static let workers = 64
    private static let callers = 16
    /// Cycles of resume and suspend, each of any actor, for each size.
    private static let cycles = 2_000
    private static let pageSize = 1000
    /// The default of 2 GiB holds about a million actors with a short history and nothing else.
    private static let etcdArguments = ["--quota-backend-bytes", "8589934592"]

    @Sendable static func run(_ options: BenchOptions) async throws {
        let server = try Server(address: "127.0.0.1:0", credentials: .insecure, methods: InstantNode.methods)
        let directory = TemporaryDirectory()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await server.run() }
            let system = try await BenchSystem.start(
                workers: workers, agent: "127.0.0.1:\(server.port)", directory: directory.path,
                etcdArguments: etcdArguments)
            do { try await measure(system) } catch {
                await system.stop()
                throw error
            }
            await system.stop()
            group.cancelAll()
        }
    }

    private static func measure(_ system: BenchSystem) async throws {
        Report.header(
            "scale: \(callers) callers, \(workers) workers, \(cycles) cycles of any actor; pages of \(pageSize)",
            [
                "actors", "creates/s", "create p99", "list/s", "page p99", "cycles/s", "resume p50", "resume p99",
                "suspend p99", "p50 ratio", "etcd MiB", "db MiB", "ateapi MiB",
            ])
        var made = 0
        var first: Duration?
        for size in sizes {
            let (creating, creates) = try await timed { try await create(made..<size, system) }
            made = size
            let (listing, pages) = try await timed { try await list(system, expecting: size) }
            // What a first caller pays that others do not.
            _ = try await cycle(system, among: size, cycles: callers * 4)
            let (cycling, (resumes, suspends)) = try await timed {
                try await cycle(system, among: size, cycles: cycles)
            }
            let p50 = resumes.quantile(0.5)
            let base = first ?? p50
            first = base
            Report.row([
                "\(size)", (Double(creates.values.count) / creating).digits(0), creates.quantile(0.99).milliseconds,
                (Double(size) / listing).digits(0), pages.quantile(0.99).milliseconds,
                (Double(cycles) / cycling).digits(0), p50.milliseconds, resumes.quantile(0.99).milliseconds,
                suspends.quantile(0.99).milliseconds, ((p50 / base) as Double).digits(2),
                "\(try await EtcdMetrics.residentBytes(system.etcd) >> 20)",
                "\(try await EtcdMetrics.databaseBytes(system.etcd) >> 20)", "\(system.residentBytes >> 20)",
            ])
        }
    }

    private static func timed<Value>(_ body: () async throws -> Value) async throws -> (seconds: Double, Value) {
        let start = ContinuousClock.now
        let value = try await body()
        return ((ContinuousClock.now - start) / .seconds(1), value)
    }

    private static func create(_ numbers: Range<Int>, _ system: BenchSystem) async throws -> Samples {
        try await gathered(64) { caller in
            var samples = Samples()
            for number in stride(from: numbers.lowerBound + caller, to: numbers.upperBound, by: 64) {
                let begun = ContinuousClock.now
                _ = try await system.channel.call(
                    ControlMethods.createActor,
                    CreateActorRequest(actor: ref(number, system), template: system.fixture.template.ref),
                    timeout: .seconds(60))
                samples.add(.now - begun)
            }
            return samples
        }
    }

    private static func list(_ system: BenchSystem, expecting count: Int) async throws -> Samples {
        var samples = Samples()
        var token = ""
        var seen = 0
        repeat {
            let begun = ContinuousClock.now
            let page = try await system.channel.call(
                ControlMethods.listActors, ListActorsRequest(pageSize: pageSize, pageToken: token),
                timeout: .seconds(60))
            samples.add(.now - begun)
            seen += page.actors.count
            token = page.nextPageToken
        } while !token.isEmpty
        guard seen == count else { throw DidNotHappen(description: "\(seen) of \(count) actors were listed") }
        return samples
    }

    /// Resumes and suspends actors at random. Callers have actors of their own, so that none is in another's way.
    private static func cycle(
        _ system: BenchSystem, among size: Int, cycles: Int
    ) async throws -> (resumes: Samples, suspends: Samples) {
        let both = try await withThrowingTaskGroup(of: (Samples, Samples).self) { group in
            for caller in 0..<callers {
                group.addTask {
                    var (resumes, suspends) = (Samples(), Samples())
                    for _ in 0..<cycles / callers {
                        let number = Int.random(in: 0..<size / callers) * callers + caller
                        let begun = ContinuousClock.now
                        _ = try await system.channel.call(
                            ControlMethods.resumeActor, ResumeActorRequest(actor: ref(number, system)),
                            timeout: .seconds(60))
                        let between = ContinuousClock.now
                        _ = try await system.channel.call(
                            ControlMethods.suspendActor, SuspendActorRequest(actor: ref(number, system)),
                            timeout: .seconds(60))
                        resumes.add(between - begun)
                        suspends.add(.now - between)
                    }
                    return (resumes, suspends)
                }
            }
            return try await group.reduce(into: (Samples(), Samples())) {
                $0.0.add($1.0)
                $0.1.add($1.1)
            }
        }
        return both
    }

    private static func gathered(
        _ callers: Int, _ body: @escaping @Sendable (Int) async throws -> Samples
    ) async throws -> Samples {
        try await withThrowingTaskGroup(of: Samples.self) { group in
            for caller in 0..<callers { group.addTask { try await body(caller) } }
            return try await group.reduce(into: Samples()) { $0.add($1) }
        }
    }

    /// As names of actors often are: long, and next to each other.
    private static func ref(_ number: Int, _ system: BenchSystem) -> ActorRef {
        system.fixture.ref("session-\(String(10_000_000 + number))")
    }
}
