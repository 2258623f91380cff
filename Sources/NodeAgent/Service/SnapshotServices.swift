package import GRPC
internal import ServiceKit
internal import SubstrateAPI

/// The part of `substrate.Node` that concerns the snapshots of a location and no worker.
package struct SnapshotServices: Sendable {
    private let snapshots: SnapshotDirectory

    /// - Parameters:
    ///   - snapshots: where external snapshots may lie.
    ///   - local: where local ones lie, which are not removed on request.
    package init(snapshots: SnapshotDirectory, local: LocalSnapshots) {
        self.snapshots = SnapshotDirectory(root: snapshots.root, local: local)
    }

    package var methods: [ServerMethod] {
        [
            ServerMethod(NodeMethods.deleteSnapshot) { [snapshots] request, _ in
                do throws(RuntimeFailure) {
                    try await BlockingThread.result { () throws(RuntimeFailure) in
                        try snapshots.remove(request.snapshot)
                    }
                } catch {
                    throw Status(code: error.code, message: error.reason)
                }
                return EmptyResponse()
            }
        ]
    }
}
