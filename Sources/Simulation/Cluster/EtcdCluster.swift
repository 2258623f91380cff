import Etcd

/// The etcd of a world: the model, with leases that expire, an outage now and then, and watches that are told.
///
/// `@unchecked`: see `Scheduler`.
final class EtcdCluster: @unchecked Sendable {
    private(set) var model = EtcdModel()
    private let scheduler: Scheduler
    /// Since when and until when nobody leads: requests wait, nothing expires.
    private var outageEnd: Duration?
    private var looksForExpired = false
    private var listeners: [(id: Int, callback: () -> Void)] = []
    private var nextListener = 0
    /// Called with the changes of each revision, as it is written.
    var onCommit: (ArraySlice<WatchEvent>) -> Void = { _ in }

    /// Called for each lease that nobody has renewed in time.
    var onExpiry: () -> Void = {}

    init(_ scheduler: Scheduler) { self.scheduler = scheduler }

    var isDown: Bool { outageEnd != nil }

    /// Reads or writes, now.
    func serve<Value>(_ body: (inout EtcdModel) throws(EtcdError) -> Value) throws(EtcdError) -> Value {
        let before = model.revision
        let result = Result { () throws(EtcdError) in try body(&model) }
        if model.revision > before {
            onCommit(model.latestEvents)
            tell()
        }
        return try result.get()
    }

    /// Does it now, or when the outage is over.
    func whenUp(_ body: @escaping () -> Void) {
        guard let outageEnd else { return body() }
        scheduler.after(outageEnd - scheduler.now + scheduler.random.duration(.zero, .milliseconds(50))) { [self] in
            whenUp(body)
        }
    }

    /// The leader has died: until another one is elected nothing is answered, and then all leases begin anew.
    func changeLeader(after outage: Duration) {
        if isDown { return }
        outageEnd = scheduler.now + outage
        scheduler.after(outage) { [self] in
            outageEnd = nil
            model.resetLeaseTimes(at: scheduler.now)
            scheduleExpiry()
        }
    }

    // MARK: Leases

    func grant(_ timeToLive: Duration) -> Lease {
        defer { scheduleExpiry() }
        return model.grant(timeToLive, at: scheduler.now)
    }

    /// Looks for expired leases when the next one can have expired, as the server's loop does twice a second.
    private func scheduleExpiry() {
        if looksForExpired { return }
        guard let next = model.leases.values.map(\.deadline).min() else { return }
        let delay = next - scheduler.now + scheduler.random.duration(.zero, .milliseconds(500))
        looksForExpired = true
        scheduler.after(delay) { [self] in
            looksForExpired = false
            expire()
        }
    }

    private func expire() {
        if isDown { return }
        for lease in model.expired(at: scheduler.now) {
            onExpiry()
            _ = try? serve { (model) throws(EtcdError) in model.revoke(lease) }
        }
        scheduleExpiry()
    }

    // MARK: Watches

    /// Calls back after each write until it is let go of.
    func listen(_ callback: @escaping () -> Void) -> Int {
        nextListener += 1
        listeners.append((nextListener, callback))
        return nextListener
    }

    func stopListening(_ id: Int) { listeners.removeAll { $0.id == id } }

    private func tell() { for listener in listeners { listener.callback() } }

    func compact(_ revision: Int64) {
        if (try? model.compact(revision)) != nil { tell() }
    }
}
