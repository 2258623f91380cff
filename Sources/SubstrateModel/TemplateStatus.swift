extension ActorTemplate {
    /// How far the control plane is with the template's golden snapshot. Stored with the template, and written by the leader.
    package struct Status: Sendable, Equatable {
        package enum Phase: String, Sendable, CaseIterable {
            /// Nothing has been done.
            case none = ""
            case resumeGoldenActor = "ResumeGoldenActor"
            case waitGoldenActor = "WaitGoldenActor"
            case ready = "Ready"
            /// The last attempt has come to nothing; the condition says why, and it is tried again.
            case failed = "Failed"
        }

        package var phase = Phase.none
        package var goldenActorID = ""
        /// Unix time in milliseconds.
        package var takeGoldenSnapshotAtMilliseconds: Int64?
        /// The golden actor's stay on a worker that this time is about; empty for none.
        package var goldenStay = ""
        /// What the snapshot that is being taken is called: no other becomes the golden one.
        package var goldenSnapshotInProgress: SnapshotURI?
        package var goldenSnapshot: SnapshotURI?
        package var conditions: [Condition] = []
        package var unknownFields = UnknownFields()

        package init() {}
    }

    /// One aspect of a status, as Kubernetes' conditions.
    package struct Condition: Sendable, Equatable {
        package var type: String
        /// `True`, `False` or `Unknown`.
        package var status: String
        /// One word, for programs.
        package var reason: String
        /// For people.
        package var message: String
        /// Unix time in milliseconds.
        package var lastTransitionMilliseconds: Int64

        package init(type: String, status: String, reason: String, message: String, lastTransitionMilliseconds: Int64) {
            self.type = type
            self.status = status
            self.reason = reason
            self.message = message
            self.lastTransitionMilliseconds = lastTransitionMilliseconds
        }
    }
}
