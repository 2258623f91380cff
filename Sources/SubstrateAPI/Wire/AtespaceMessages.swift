internal import CMessages
package import GRPC
internal import Protobuf

// The requests that name one atespace, and the responses that hold one, have the same fields on the wire.
extension AtespaceRequest: WireMessage {
    package init(_ message: Message) throws {
        name = try message.unpack(Ateapi__GetAtespaceRequest.self) { try $0.name.text("name") }
    }

    package var message: Message { Message.packing(Ateapi__GetAtespaceRequest.self) { $0.name = $1.bytes(name) } }
}

extension AtespaceResponse: WireMessage {
    package init(_ message: Message) throws {
        name = try message.unpack(Ateapi__GetAtespaceResponse.self) {
            try $0.atespace?.pointee.name.text("name") ?? ""
        }
    }

    package var message: Message {
        Message.packing(Ateapi__GetAtespaceResponse.self) { response, arena in
            response.atespace = arena.message { $0.name = arena.bytes(name) }
        }
    }
}

extension ListAtespacesResponse: WireMessage {
    package init(_ message: Message) throws {
        names = try message.unpack(Ateapi__ListAtespacesResponse.self) { response in
            try map(response.atespaces, count: response.n_atespaces) { try $0.name.text("name") }
        }
    }

    package var message: Message {
        Message.packing(Ateapi__ListAtespacesResponse.self) { response, arena in
            (response.n_atespaces, response.atespaces) = arena.repeated(names) { $1.name = arena.bytes($0) }
        }
    }
}
