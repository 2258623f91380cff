package import GRPC
package import SubstrateModel

/// A node's call that failed, with its receipt if it gave one.
package struct NodeFailure: Error, Sendable, Equatable, CustomStringConvertible {
    package var status: Status
    /// What the node says for certain about the epoch.
    package var receipt: Receipt?

    package init(status: Status, receipt: Receipt?) {
        self.status = status
        self.receipt = receipt
    }

    package var description: String { "\(status)" }

    /// Whether the node itself has said nothing: it was not reached, or did not answer in time.
    package var isSilence: Bool { status.code == .unavailable || status.code == .deadlineExceeded }
}

extension NodeFailure {
    /// The node has said nothing within the time for it.
    package static func outOfTime(_ worker: WorkerRef) -> NodeFailure {
        NodeFailure(
            status: Status(code: .deadlineExceeded, message: "worker \(worker) has not answered in time"), receipt: nil)
    }
}

extension ResumeFailure {
    /// What is kept of it on the actor.
    package init(_ failure: NodeFailure, of worker: WorkerRef, atMilliseconds time: Int64) {
        self.init(
            worker: worker, code: Int32(failure.status.code.rawValue), message: failure.status.message,
            atMilliseconds: time)
    }
}

extension NodeFailure {
    /// The node does not have what was asked for, and will not have it.
    package var isNotFound: Bool { status.code == .notFound }
    /// What was asked for cannot be done as things are.
    package var isRefusal: Bool { status.code == .failedPrecondition }
    /// There are as many at it as may be.
    package var isExhausted: Bool { status.code == .resourceExhausted }
}
