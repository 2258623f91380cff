package import GRPC
package import Metrics
package import ServiceKit
internal import StandardServices
internal import SubstrateAPI
internal import Synchronization

/// Asks ateapi again and again whether it serves: for the page and for metrics. Nothing is decided by it.
package final class APIProbe: Sendable {
    static let isUp = Definition.gauge(
        "ate_router_api_up", "Whether ateapi has answered the last time it was asked whether it serves")

    package enum Answer: Sendable, Equatable {
        case serving
        case notServing
        case failed(String)
    }

    private struct State {
        var answer: Answer?
        /// Since when it has been that.
        var since: Int64 = 0
        var hasServed = false
    }

    private let channel: Channel
    private let environment: Environment
    private let interval: Duration
    private let state = Mutex(State())
    let listeners = Listeners()

    private static let patience: Duration = .seconds(2)

    package init(
        _ channel: Channel, environment: Environment, interval: Duration = .seconds(2),
        _ registry: MetricRegistry = MetricRegistry()
    ) {
        self.interval = interval
        self.channel = channel
        self.environment = environment
        registry.reading(Self.isUp) { [weak self] in self?.answer.map { $0 == .serving ? 1 : 0 } }
    }

    /// Nil before the first.
    package var answer: Answer? { state.withLock { $0.answer } }
    var since: Int64 { state.withLock { $0.since } }
    /// Whether it has ever been found to serve.
    package var hasServed: Bool { state.withLock { $0.hasServed } }

    /// Asks until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            let answer = await ask()
            if Task.isCancelled { return }
            let now = environment.wallClock()
            let isNews = state.withLock { state in
                if answer == .serving { state.hasServed = true }
                guard state.answer != answer else { return false }
                state.answer = answer
                state.since = now
                return true
            }
            if isNews { listeners.tell() }
            try? await environment.clock.sleep(for: interval)
        }
    }

    private func ask() async -> Answer {
        do throws(RPCError) {
            let response = try await channel.call(HealthMethods.check, HealthRequest(), timeout: Self.patience)
            return response.status == .serving ? .serving : .notServing
        } catch {
            return .failed(error.status.message)
        }
    }
}
