import GRPC
import SubstrateAPI
import SubstrateModel

/// A node's services that say at once that what is asked for has been done. It runs nothing and remembers nothing.
enum InstantNode {
    /// What a node serves, for as many workers as anyone likes.
    static var methods: [ServerMethod] {
        [
            ServerMethod(NodeMethods.run) { _, call in ReceiptResponse(receipt: try receipt(call, .running)) },
            ServerMethod(NodeMethods.restore) { _, call in ReceiptResponse(receipt: try receipt(call, .running)) },
            ServerMethod(NodeMethods.checkpoint) { request, call in
                ReceiptResponse(receipt: try receipt(call, .checkpointed(request.snapshot)))
            },
            ServerMethod(NodeMethods.status) { _, call in StatusResponse(receipt: try receipt(call, .notRunning)) },
            ServerMethod(NodeMethods.stop) { _, call in StatusResponse(receipt: try receipt(call, .notRunning)) },
        ]
    }

    /// Nobody goes there.
    private static let address = ActorAddress(ip: "127.0.0.1", port: 80)

    private static func receipt(_ call: ServerCall, _ state: Receipt.State) throws -> Receipt {
        guard let fences = Fences(call.metadata) else {
            throw Status(code: .invalidArgument, message: "a call without fences")
        }
        return Receipt(epoch: fences.epoch, state: state, address: state == .running ? address : nil)
    }
}
