package import SubstrateModel

/// The methods of `substrate.Router`.
package enum RouterMethods {
    package static let reportServed = RPC<ReportServedRequest, EmptyResponse>("/substrate.Router/ReportServed")
}

/// A worker whose actor was asked for.
package struct ServedWorker: Sendable, Hashable {
    package var ref: WorkerRef
    /// Of its presence.
    package var uid: String

    package init(ref: WorkerRef, uid: String) {
        self.ref = ref
        self.uid = uid
    }
}

/// Which actors have been asked for since the last report.
package struct ReportServedRequest: Sendable, Equatable {
    /// How many workers one report may name.
    package static let maximumWorkers = 1000

    package var workers: [ServedWorker]

    package init(workers: [ServedWorker]) { self.workers = workers }
}
