internal import GRPC
internal import SubstrateAPI

extension ControlServices {
    /// The methods of `substrate.Watch`, each in the file of its name.
    var watchMethods: [ServerMethod] {
        [
            offer(WatchMethods.actors, watchActors),
            offer(WatchMethods.workers, watchWorkers),
            offer(WatchMethods.actorLogs, actorLogs),
        ]
    }

    /// Clients take messages of up to 4 MiB; the rest is for what an estimate may be wrong by.
    static var maximumBytes: Int { 3_900_000 }
}
