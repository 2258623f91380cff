package import SubstrateModel

/// What a node is told of requests for its actors, and asked about those that may be idle.
package struct ActivityRequest: Sendable, Equatable {
    /// The uids of workers whose actors have served since the last call, or are about to.
    package var served: [String]
    /// The uids of workers whose idleness is asked for.
    package var asked: [String]

    package init(served: [String] = [], asked: [String] = []) {
        self.served = served
        self.asked = asked
    }
}

package struct ActivityResponse: Sendable, Equatable {
    /// Of those asked for that run an actor now.
    package var workers: [WorkerActivity]

    package init(workers: [WorkerActivity]) { self.workers = workers }
}

/// How long the actor of a worker has certainly served nothing.
package struct WorkerActivity: Sendable, Equatable {
    package var workerUID: String
    package var epoch: Epoch
    /// Zero while a connection to the actor is open.
    package var idleness: Duration

    package init(workerUID: String, epoch: Epoch, idleness: Duration) {
        self.workerUID = workerUID
        self.epoch = epoch
        self.idleness = idleness
    }
}
