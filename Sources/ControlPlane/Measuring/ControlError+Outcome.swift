extension ControlError {
    /// Its kind as the value of a label.
    var outcome: String {
        switch self {
        case .actorNotFound, .templateNotFound: "not_found"
        case .noEligiblePool, .noFreeWorkers: "no_free_workers"
        case .quotaExceeded: "quota_exceeded"
        case .isHeld, .isSuspended, .isPaused, .isNotRunning: "wrong_state"
        case .operationInProgress, .conflict: "conflict"
        case .workerLost: "worker_lost"
        case .noAnswer: "no_answer"
        case .node, .noOutput, .failed, .diedWhileSuspending: "node_failed"
        case .unavailable: "unavailable"
        case .store: "store_failed"
        }
    }
}
