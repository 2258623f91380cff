internal import GRPC
internal import SubstrateAPI
internal import SubstrateModel

extension NodeFailure {
    static func otherIncarnation(_ ref: WorkerRef) -> NodeFailure {
        NodeFailure(
            status: Status(code: .failedPrecondition, message: "the call is for another incarnation of worker \(ref)"),
            receipt: nil)
    }

    static func stale(_ ref: WorkerRef) -> NodeFailure {
        NodeFailure(
            status: Status(code: .aborted, message: "a newer operation has worker \(ref) in hand"), receipt: nil)
    }

    static func occupied(_ ref: WorkerRef) -> NodeFailure {
        NodeFailure(
            status: Status(code: .aborted, message: "worker \(ref) has another actor in hand"), receipt: nil)
    }

    /// There will not be any either: an epoch starts once.
    static func noOutput(_ ref: WorkerRef, _ epoch: Epoch) -> NodeFailure {
        NodeFailure(
            status: Status(
                code: .notFound, message: "worker \(ref) has no output of epoch \(epoch), or not any more"),
            receipt: nil)
    }

    static func interrupted(_ ref: WorkerRef) -> NodeFailure {
        NodeFailure(
            status: Status(code: .aborted, message: "worker \(ref) was interrupted"), receipt: nil)
    }
}
