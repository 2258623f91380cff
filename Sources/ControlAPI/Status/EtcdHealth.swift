package import Etcd
package import Metrics
package import ServiceKit
internal import Synchronization

/// How the members of etcd are, asked now and then: for the page and for metrics.
package final class EtcdHealth: Sendable {
    static let isUp = Definition.gauge("ate_etcd_member_up", "Whether the member of etcd answered", by: ["member"])
    static let size = Definition.gauge(
        "ate_etcd_database_bytes", "Size of the member's database file", by: ["member"])
    static let sizeInUse = Definition.gauge(
        "ate_etcd_database_in_use_bytes", "How much of the member's database file is in use", by: ["member"])
    static let alarmCounts = Definition.gauge("ate_etcd_alarms", "Alarms that are raised in etcd", by: ["kind"])

    /// One member, as it answered last.
    struct Member: Sendable {
        var endpoint: String
        var status: MemberStatus?
        var latency: Duration
        var error: String?
    }

    struct Condition: Sendable {
        var members: [Member]
        /// Nil when nobody could say.
        var alarms: [Alarm]?
        /// Unix time in milliseconds.
        var time: Int64
    }

    private let client: EtcdClient
    private let environment: Environment
    private let interval: Duration
    private let state = Mutex<Condition?>(nil)
    let listeners = Listeners()

    private static let patience: Duration = .seconds(2)

    /// - Parameter interval: between two rounds of questions, which cost a member next to nothing.
    package init(_ client: EtcdClient, environment: Environment, interval: Duration = .seconds(5)) {
        self.interval = interval
        self.client = client
        self.environment = environment
    }

    /// Nil before it has been asked.
    var latest: Condition? { state.withLock { $0 } }

    /// Asks until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            let condition = await ask()
            if Task.isCancelled { return }
            state.withLock { $0 = condition }
            listeners.tell()
            try? await environment.clock.sleep(for: interval)
        }
    }

    private func ask() async -> Condition {
        await EtcdDeadline.$current.withValue(.now + Self.patience) {
            let members = await withTaskGroup(of: Member.self) { group in
                for endpoint in client.endpoints { group.addTask { await self.ask(endpoint) } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            return Condition(
                members: members.sorted { $0.endpoint < $1.endpoint }, alarms: try? await client.alarms(),
                time: environment.wallClock())
        }
    }

    private func ask(_ endpoint: String) async -> Member {
        let time = environment.clock.stopwatch()
        do {
            let status = try await client.status(of: endpoint)
            return Member(endpoint: endpoint, status: status, latency: time.elapsed())
        } catch {
            return Member(endpoint: endpoint, latency: time.elapsed(), error: "\(error)")
        }
    }

    package func addReadings(to registry: MetricRegistry) {
        registry.readings(Self.isUp) { [self] in members { $0.status == nil ? 0 : 1 } }
        registry.readings(Self.size) { [self] in members { $0.status.map { Double($0.databaseSize) } } }
        registry.readings(Self.sizeInUse) { [self] in members { $0.status.map { Double($0.databaseSizeInUse) } } }
        registry.readings(Self.alarmCounts) { [self] in
            guard let alarms = latest?.alarms else { return [] }
            return [Alarm.Kind.noSpace, .corrupt].map { kind in
                Reading(Double(alarms.count { $0.kind == kind }), kind.label)
            }
        }
    }

    private func members(_ value: (Member) -> Double?) -> [Reading] {
        latest?.members.compactMap { member in value(member).map { Reading($0, member.endpoint) } } ?? []
    }
}

extension Alarm.Kind {
    var label: String {
        switch self {
        case .noSpace: "nospace"
        case .corrupt: "corrupt"
        }
    }
}
