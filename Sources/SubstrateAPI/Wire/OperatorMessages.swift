internal import CMessages
package import GRPC
internal import Protobuf
internal import SubstrateModel

extension ReleaseHoldRequest: WireMessage {
    package init(_ message: Message) throws {
        actor = try message.unpack(Substrate__ReleaseHoldRequest.self) { request in
            try request.actor.map { try ActorRef($0.pointee) } ?? ActorRef(atespace: "", name: "")
        }
    }

    package var message: Message {
        Message.packing(Substrate__ReleaseHoldRequest.self) { request, arena in
            request.actor = arena.message { actor.fill(&$0, arena) }
        }
    }
}
