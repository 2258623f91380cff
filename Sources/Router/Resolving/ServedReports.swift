internal import GRPC
internal import ServiceKit
internal import SubstrateAPI
internal import Synchronization

/// Tells ateapi which actors have been asked for, so that they do not count as idle: at once when there was nothing to tell
/// before, and otherwise all of a second together. Those that ateapi was asked about by a resume it knows of itself, and
/// connections that last are seen by the node.
final class ServedReports: Sendable {
    private let channel: Channel
    private let headers: @Sendable () -> Metadata
    private let environment: Environment
    /// At most one for each worker that the table has known.
    private let noted = Mutex<Set<ServedWorker>>([])
    private let sent = Mutex(0)
    private let signal = Signal()

    init(channel: Channel, headers: @escaping @Sendable () -> Metadata, environment: Environment) {
        self.channel = channel
        self.headers = headers
        self.environment = environment
    }

    private static let interval: Duration = .seconds(1)
    private static let timeout: Duration = .seconds(2)
    /// Beyond it what is new is not noted: it comes to that only while ateapi is not reached and workers come and go.
    private static let capacity = 100_000

    /// How many reports ateapi has taken.
    var count: Int { sent.withLock { $0 } }

    func note(_ worker: ServedWorker) {
        let isFirst = noted.withLock { noted in
            guard noted.count < Self.capacity else { return false }
            return noted.insert(worker).inserted && noted.count == 1
        }
        if isFirst { signal.fire() }
    }

    /// Runs until the task is cancelled.
    func run() async {
        var isComplaining = false
        for await _ in signal.wakeUps {
            var rest = noted.withLock { noted in
                defer { noted = [] }
                return noted.sorted { $0.ref < $1.ref }[...]
            }
            while !rest.isEmpty {
                let batch = Array(rest.prefix(ReportServedRequest.maximumWorkers))
                do throws(RPCError) {
                    _ = try await channel.call(
                        RouterMethods.reportServed, ReportServedRequest(workers: batch), metadata: headers(),
                        timeout: Self.timeout)
                } catch {
                    if !isComplaining {
                        environment.log.warning(
                            "cannot report which actors are asked for, so they may be taken for idle; will try again",
                            ["error": .text(error)])
                    }
                    isComplaining = true
                    break
                }
                isComplaining = false
                sent.withLock { $0 += 1 }
                rest = rest.dropFirst(batch.count)
            }
            do { try await environment.clock.sleep(for: Self.interval) } catch { return }
            keep(rest)
        }
    }

    /// What could not be told yet is told with what has come since.
    private func keep(_ rest: ArraySlice<ServedWorker>) {
        let isAny = noted.withLock { noted in
            for worker in rest where noted.count < Self.capacity { noted.insert(worker) }
            return !noted.isEmpty
        }
        if isAny { signal.fire() }
    }
}
