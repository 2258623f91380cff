package import ServiceKit
internal import SubstrateModel
package import SubstrateStore

/// Sees to it that the atespace `default` exists.
package enum DefaultAtespace {
    /// Tries until it is there or the task is cancelled.
    package static func ensure(_ store: Store, _ environment: Environment) async {
        var backoff = Backoff(from: .milliseconds(50), to: .seconds(1))
        while !Task.isCancelled {
            do {
                _ = try await store.createAtespace(Atespace.defaultName, Atespace(uid: environment.chance.id()))
                return
            } catch {
                environment.log.warning("cannot create the atespace default, will try again", ["error": .text(error)])
                try? await environment.clock.sleep(for: environment.chance.jittered(backoff.pause()))
            }
        }
    }
}
