internal import CGRPC

/// A request for the next call, posted to the core; becomes an `AcceptedCall` when one comes in.
final class PostedRequest: Completion {
    private let server: Server
    private let method: RegisteredMethod?
    private let incoming: UnsafeMutablePointer<cgrpc_incoming>

    /// - Parameter method: nil asks for a call of a method that is not registered.
    init(server: Server, method: RegisteredMethod?) {
        self.server = server
        self.method = method
        incoming = .allocate(capacity: 1)
        incoming.initialize(to: cgrpc_incoming())
        grpc_metadata_array_init(cgrpc_incoming_metadata(incoming))
        grpc_call_details_init(cgrpc_incoming_details(incoming))
    }

    deinit {
        grpc_metadata_array_destroy(cgrpc_incoming_metadata(incoming))
        grpc_call_details_destroy(cgrpc_incoming_details(incoming))
        if let payload = incoming.pointee.payload { grpc_byte_buffer_destroy(payload) }
        incoming.deallocate()
    }

    func post() -> grpc_call_error {
        let queue = CompletionQueue.shared.pointer
        let tag = tag()
        let error =
            if let method {
                grpc_server_request_registered_call(
                    server.pointer, method.handle, cgrpc_incoming_call(incoming), cgrpc_incoming_deadline(incoming),
                    cgrpc_incoming_metadata(incoming),
                    method.method.isStream ? nil : cgrpc_incoming_payload(incoming), queue, queue, tag)
            } else {
                grpc_server_request_call(
                    server.pointer, cgrpc_incoming_call(incoming), cgrpc_incoming_details(incoming),
                    cgrpc_incoming_metadata(incoming), queue, queue, tag)
            }
        if error != GRPC_CALL_OK { Completion.takeBack(tag) }
        return error
    }

    override func complete(succeeded: Bool) {
        guard succeeded, let pointer = incoming.pointee.call else { return server.requestEnded() }
        server.post(method)
        let call = CallHandle(adopting: pointer)
        let name = method?.method.method ?? Method(String(slice: incoming.pointee.details.method))
        let context = ServerCall(
            method: name, metadata: Metadata(incoming.pointee.metadata), peer: peer(of: pointer),
            peerCertificate: server.hasClientCertificates ? PeerCertificate(of: pointer) : nil, deadline: deadline)
        AcceptedCall(server: server, call: call, context: context)
            .answer(with: method?.method, request: takePayload())
    }

    private var deadline: ContinuousClock.Instant? {
        let deadline = method == nil ? incoming.pointee.details.deadline : incoming.pointee.deadline
        return deadline.timeLeft.map { .now + $0 }
    }

    private func takePayload() -> Message? {
        guard let payload = incoming.pointee.payload else { return nil }
        incoming.pointee.payload = nil
        return Message(adopting: payload)
    }

    private func peer(of call: OpaquePointer) -> String {
        guard let text = grpc_call_get_peer(call) else { return "unknown" }
        defer { gpr_free(text) }
        return String(cString: text)
    }
}
