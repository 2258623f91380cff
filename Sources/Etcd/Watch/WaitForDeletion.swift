extension EtcdStore {
    /// Waits until a key is gone. It also looks now and then: servers have been seen to lose the event of a deletion.
    /// - Parameters:
    ///   - revision: one at which the key was there. A key of the same name that was created later is another.
    ///   - interval: how often to look.
    ///   - clock: for the interval.
    /// - Throws: `EtcdError` when it cannot find out, with code `.cancelled` when the task is cancelled.
    public func waitForDeletion(
        of key: Key, since revision: Int64, lookingEvery interval: Duration = .seconds(10),
        clock: any Clock<Duration> = ContinuousClock()
    ) async throws(EtcdError) {
        var seen = revision
        do {
            while try await !isDeleted(key, after: seen, within: interval, clock) {
                let response = try await range(.key(key))
                guard let pair = response.pairs.first, pair.createRevision <= revision else { return }
                seen = response.revision
            }
        } catch let error as EtcdError {
            throw error
        } catch {
            throw EtcdError(.cancelled, "wait for the deletion of \(key)", "", "the task was cancelled")
        }
    }

    /// Whether the watch tells of a deletion in time. False when it does not, or the history it needs is gone.
    private func isDeleted(
        _ key: Key, after revision: Int64, within limit: Duration, _ clock: any Clock<Duration>
    ) async throws -> Bool {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                for try await batch in watch(.key(key), from: revision + 1) {
                    guard case .events(let events) = batch else { break }
                    for case .delete in events { return true }
                }
                return false
            }
            group.addTask {
                try await clock.sleep(for: limit)
                return false
            }
            defer { group.cancelAll() }
            return try await group.next() ?? false
        }
    }
}
