internal import CMessages
package import GRPC
internal import Protobuf

// Messages without fields have the same bytes, whatever their names.
extension EmptyRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Ateapi__ListWorkersRequest.self) { _ in EmptyRequest() }
    }

    package var message: Message { Message(count: 0) { _ in } }
}

extension EmptyResponse: WireMessage {
    package init(_ message: Message) throws { self.init() }

    package var message: Message { Message(count: 0) { _ in } }
}
