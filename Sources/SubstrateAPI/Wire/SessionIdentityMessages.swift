internal import CMessages
package import GRPC
internal import Protobuf

extension MintJWTRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Ateapi__MintJWTRequest.self) { request in
            MintJWTRequest(
                audience: try texts(request.audience, count: request.n_audience, "audience"),
                appID: try request.app_id.text("app_id"), userID: try request.user_id.text("user_id"),
                sessionID: try request.session_id.text("session_id"))
        }
    }

    package var message: Message {
        Message.packing(Ateapi__MintJWTRequest.self) { request, arena in
            (request.n_audience, request.audience) = arena.repeated(audience)
            request.app_id = arena.bytes(appID)
            request.user_id = arena.bytes(userID)
            request.session_id = arena.bytes(sessionID)
        }
    }
}

extension MintJWTResponse: WireMessage {
    package init(_ message: Message) throws {
        token = try message.unpack(Ateapi__MintJWTResponse.self) { try $0.session_jwt.text("session_jwt") }
    }

    package var message: Message {
        Message.packing(Ateapi__MintJWTResponse.self) { $0.session_jwt = $1.bytes(token) }
    }
}

extension MintCertRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Ateapi__MintCertRequest.self) { request in
            MintCertRequest(
                appID: try request.app_id.text("app_id"), userID: try request.user_id.text("user_id"),
                sessionID: try request.session_id.text("session_id"),
                signingRequest: request.certificate_signing_request.array)
        }
    }

    package var message: Message {
        Message.packing(Ateapi__MintCertRequest.self) { request, arena in
            request.app_id = arena.bytes(appID)
            request.user_id = arena.bytes(userID)
            request.session_id = arena.bytes(sessionID)
            request.certificate_signing_request = arena.bytes(signingRequest)
        }
    }
}

extension MintCertResponse: WireMessage {
    package init(_ message: Message) throws {
        certificates = try message.unpack(Ateapi__MintCertResponse.self) { response in
            let certificates = UnsafeBufferPointer(
                start: response.session_certificates, count: response.n_session_certificates)
            return certificates.map(\.array)
        }
    }

    package var message: Message {
        Message.packing(Ateapi__MintCertResponse.self) { response, arena in
            response.n_session_certificates = certificates.count
            response.session_certificates = arena.array(certificates) { arena.bytes($0) }
        }
    }
}
