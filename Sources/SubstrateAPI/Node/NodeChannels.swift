package import GRPC
package import SubstrateModel
internal import Synchronization

/// Calls to node agents, over one channel per address.
package final class NodeChannels: Sendable {
    private let channels = Mutex<[String: Channel]>([:])
    /// More addresses than this in use at once are more nodes than one replica should talk to; the oldest go.
    private static let maximumChannels = 4096

    private let credentials: ChannelCredentials

    package init(credentials: ChannelCredentials = .insecure) { self.credentials = credentials }

    /// Calls a method of the agent at `address`.
    /// - Parameter fences: nil for what concerns no worker.
    package func call<Request, Response>(
        _ rpc: RPC<Request, Response>, _ request: Request, _ fences: Fences?, at address: String, timeout: Duration
    ) async throws(NodeFailure) -> Response {
        do {
            return try await channel(to: address).call(
                rpc, request, metadata: fences?.metadata ?? [:], timeout: timeout)
        } catch {
            throw NodeFailure(status: error.status, receipt: Receipt(trailer: error.status.metadata))
        }
    }

    /// Opens a stream of responses of the agent at `address`.
    package func open<Request, Response>(
        _ rpc: StreamRPC<Request, Response>, _ request: Request, _ stay: Stay, at address: String
    ) async throws(NodeFailure) -> ResponseStream<Response> {
        do {
            return try await channel(to: address).open(rpc, request, metadata: stay.metadata)
        } catch {
            throw NodeFailure(status: error.status, receipt: nil)
        }
    }

    private func channel(to address: String) -> Channel {
        channels.withLock { channels in
            if let channel = channels[address] { return channel }
            // Calls that are under way keep their channel.
            if channels.count >= Self.maximumChannels { channels.removeAll() }
            var options = ChannelOptions()
            options.idleTimeout = .seconds(60)
            let channel = Channel(target: address, credentials: credentials, options: options)
            channels[address] = channel
            return channel
        }
    }
}
