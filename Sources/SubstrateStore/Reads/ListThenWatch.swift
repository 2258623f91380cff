package import Etcd
package import ServiceKit

/// Lists a range, then takes in its changes, and lists again whenever the history has been compacted under the watch or
/// the watch has failed. Returns when the task is cancelled.
package func listThenWatch(
    _ range: KeyRange, of etcd: any EtcdStore, _ environment: Environment,
    list: () async throws -> Int64, take: ([WatchEvent]) async -> Void
) async {
    var backoff = Backoff(from: .milliseconds(50), to: .seconds(1))
    while !Task.isCancelled {
        do {
            let revision = try await list()
            backoff.reset()
            for try await batch in etcd.watch(range, from: revision + 1) {
                switch batch {
                case .events(let events): await take(events)
                case .compacted(let oldest):
                    environment.log.info(
                        "the history was compacted under the watch: listing again",
                        ["range": .text(range), "oldest revision": .integer(oldest)])
                }
            }
        } catch {
            if Task.isCancelled { return }
            environment.log.warning("cannot follow the store", ["range": .text(range), "error": .string("\(error)")])
            try? await environment.clock.sleep(for: environment.chance.jittered(backoff.pause()))
        }
    }
}
