internal import GRPC
internal import ServiceKit
internal import SubstrateAPI

/// Keeps the table of actors up to date from ateapi's stream of workers.
///
/// Streams follow each other: a new one begins with the state as of its beginning, which shows that the table is current, and
/// repairs whatever the old one may have missed; the old one goes on until that has arrived.
struct WorkerFeed: Sendable {
    let channel: Channel
    let headers: @Sendable () -> Metadata
    let known: KnownActors
    let environment: Environment

    /// Where a stream stands.
    private enum Step: Sendable {
        case begun(Int, ResponseStream<WorkersUpdate>)
        case failed(Int, RPCError)
        case ended(Int)
        case due(Int)
    }

    /// Three streams in a row have to fail before the table is not believed any more.
    private var period: Duration { known.belief / 3 }
    /// The end of each, so that one that says nothing any more does not stay.
    private var limit: Duration { period * 2 }

    /// Runs until the task is cancelled.
    func run() async {
        await withTaskGroup(of: Step.self) { group in
            var latest = 1
            var backoff = Backoff(from: .milliseconds(50), to: .seconds(1))
            var isComplaining = false
            group.addTask { await begin(1) }
            while let step = await group.next(), !Task.isCancelled {
                switch step {
                case .begun(let number, let stream):
                    backoff.reset()
                    if isComplaining { environment.log.info("the workers are known again") }
                    isComplaining = false
                    group.addTask { await follow(stream, number) }
                    group.addTask { await pause(period, before: number) }
                case .failed(let number, let error):
                    if !isComplaining {
                        environment.log.warning(
                            "cannot follow where actors run, so ateapi is asked about each that is not known",
                            ["error": .text(error)])
                    }
                    isComplaining = true
                    // Whoever may not watch will not be allowed to so soon.
                    let pause = error.code == .permissionDenied ? period : backoff.pause()
                    group.addTask { await self.pause(environment.chance.jittered(pause), before: number) }
                case .ended(let number), .due(let number):
                    // The end of one that another has followed already, or is about to, says nothing.
                    guard number == latest else { continue }
                    latest += 1
                    group.addTask { [latest] in await begin(latest) }
                }
            }
            group.cancelAll()
        }
    }

    private func pause(_ pause: Duration, before number: Int) async -> Step {
        try? await environment.clock.sleep(for: pause)
        return .due(number)
    }

    /// Opens a stream and reads the state that it begins with.
    private func begin(_ number: Int) async -> Step {
        let asked = known.now
        do throws(RPCError) {
            let stream = try await channel.open(
                WatchMethods.workers, WatchWorkersRequest(), metadata: headers(), timeout: limit)
            guard let table = try await readState(of: stream) else { throw .endedEarly }
            known.replace(with: table, of: number, asOf: asked)
            return .begun(number, stream)
        } catch {
            return .failed(number, error)
        }
    }

    /// - Parameter first: an update that was read already.
    /// - Returns: nil when the stream has ended before the state was complete.
    private func readState(
        of stream: ResponseStream<WorkersUpdate>, from first: WorkersUpdate? = nil
    ) async throws(RPCError) -> ActorTable? {
        var table = known.emptyTable
        var next = first
        if next == nil { next = try await stream.next() }
        while let update = next {
            if update.isReset { table = known.emptyTable }
            table.take(update)
            if update.revision > 0 { return table }
            next = try await stream.next()
        }
        return nil
    }

    private func follow(_ stream: ResponseStream<WorkersUpdate>, _ number: Int) async -> Step {
        do throws(RPCError) {
            while let update = try await stream.next() {
                if update.isReset {
                    // The history was compacted under the stream. When this state was read nobody knows, so it extends nothing.
                    guard let table = try await readState(of: stream, from: update) else { return .ended(number) }
                    known.replace(with: table, of: number, asOf: .zero)
                } else {
                    known.take(update, of: number)
                }
            }
        } catch {
            environment.log.debug("a stream of workers has ended", ["error": .text(error)])
        }
        return .ended(number)
    }
}

extension RPCError {
    fileprivate static var endedEarly: RPCError {
        .failed(Status(code: .unavailable, message: "the stream has ended before it had told the state"))
    }
}
