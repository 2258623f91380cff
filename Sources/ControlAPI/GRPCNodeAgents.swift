package import ControlPlane
package import GRPC
package import SubstrateAPI
package import SubstrateModel

/// The nodes over gRPC.
package struct GRPCNodeAgents: NodeAgents {
    private let channels: NodeChannels
    private let questionTimeout: Duration
    private let workTimeout: Duration

    /// - Parameters:
    ///   - credentials: how to connect to the nodes.
    ///   - questionTimeout: for a question, which a node answers at once.
    ///   - workTimeout: for a start or a checkpoint. What comes of one that takes longer is asked for.
    package init(
        credentials: ChannelCredentials = .insecure, questionTimeout: Duration = .seconds(2),
        workTimeout: Duration = .seconds(600)
    ) {
        channels = NodeChannels(credentials: credentials)
        self.questionTimeout = questionTimeout
        self.workTimeout = workTimeout
    }

    package func run(_ request: RunRequest, _ fences: Fences, at address: String) async throws(NodeFailure) -> Receipt {
        try await channels.call(NodeMethods.run, request, fences, at: address, timeout: workTimeout).receipt
    }

    package func restore(
        _ request: RestoreRequest, _ fences: Fences, at address: String
    ) async throws(NodeFailure) -> Receipt {
        try await channels.call(NodeMethods.restore, request, fences, at: address, timeout: workTimeout).receipt
    }

    package func checkpoint(
        _ request: CheckpointRequest, _ fences: Fences, at address: String
    ) async throws(NodeFailure) -> Receipt {
        try await channels.call(NodeMethods.checkpoint, request, fences, at: address, timeout: workTimeout).receipt
    }

    package func status(
        _ request: StatusRequest, _ fences: Fences, at address: String
    ) async throws(NodeFailure) -> Receipt {
        try await channels.call(NodeMethods.status, request, fences, at: address, timeout: questionTimeout).receipt
    }

    package func stop(_ request: StopRequest, _ fences: Fences, at address: String) async throws(NodeFailure) -> Receipt
    {
        try await channels.call(NodeMethods.stop, request, fences, at: address, timeout: questionTimeout).receipt
    }

    package func activity(
        _ request: ActivityRequest, at address: String
    ) async throws(NodeFailure) -> ActivityResponse {
        try await channels.call(NodeMethods.activity, request, nil, at: address, timeout: questionTimeout)
    }

    package func deleteSnapshot(_ request: DeleteSnapshotRequest, at address: String) async throws(NodeFailure) {
        _ = try await channels.call(
            NodeMethods.deleteSnapshot, request, nil, at: address, timeout: Self.deletionTimeout)
    }

    /// A file server may be slow; what has not been removed by then is tried again.
    private static let deletionTimeout: Duration = .seconds(30)

    package func logs(
        _ request: NodeLogsRequest, _ stay: Stay, at address: String
    ) async throws(NodeFailure) -> any ActorOutputStream {
        GRPCOutputStream(responses: try await channels.open(NodeMethods.logs, request, stay, at: address))
    }
}

/// A node's stream of output over gRPC.
private struct GRPCOutputStream: ActorOutputStream {
    let responses: ResponseStream<LogLines>

    func next() async throws(NodeFailure) -> LogLines? {
        do throws(RPCError) { return try await responses.next() } catch {
            throw NodeFailure(status: error.status, receipt: nil)
        }
    }
}
