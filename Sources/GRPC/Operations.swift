internal import CGRPC

/// Builds one batch on the stack. Everything that an operation points to must outlive the batch, not only this value.
struct Operations: ~Copyable {
    private let storage: UnsafeMutableBufferPointer<grpc_op>
    private var count = 0

    /// Lends room for as many operations as a batch can have: one of each kind.
    static func batch<Result>(_ body: (inout Operations) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: grpc_op.self, capacity: 8) { storage in
            var operations = Operations(storage: storage)
            return body(&operations)
        }
    }

    private init(storage: UnsafeMutableBufferPointer<grpc_op>) { self.storage = storage }

    var list: UnsafeBufferPointer<grpc_op> { UnsafeBufferPointer(rebasing: storage[..<count]) }

    private mutating func add(_ kind: grpc_op_type, _ fill: (inout grpc_op) -> Void = { _ in }) {
        var operation = grpc_op()
        operation.op = kind
        fill(&operation)
        storage.initializeElement(at: count, to: operation)
        count += 1
    }

    mutating func sendInitialMetadata(_ metadata: PreparedMetadata) {
        add(GRPC_OP_SEND_INITIAL_METADATA) {
            $0.data.send_initial_metadata.count = metadata.array.count
            $0.data.send_initial_metadata.metadata = metadata.array.baseAddress
        }
    }

    mutating func sendMessage(_ buffer: UnsafeMutablePointer<grpc_byte_buffer>?) {
        add(GRPC_OP_SEND_MESSAGE) { $0.data.send_message.send_message = buffer }
    }

    mutating func sendClose() { add(GRPC_OP_SEND_CLOSE_FROM_CLIENT) }

    mutating func receiveInitialMetadata(into inbox: Inbox) {
        add(GRPC_OP_RECV_INITIAL_METADATA) {
            $0.data.recv_initial_metadata.recv_initial_metadata = cgrpc_inbox_initial(inbox.pointer)
        }
    }

    mutating func receiveMessage(into inbox: Inbox) {
        add(GRPC_OP_RECV_MESSAGE) { $0.data.recv_message.recv_message = cgrpc_inbox_message(inbox.pointer) }
    }

    mutating func receiveStatus(into inbox: Inbox) {
        add(GRPC_OP_RECV_STATUS_ON_CLIENT) {
            $0.data.recv_status_on_client.trailing_metadata = cgrpc_inbox_trailing(inbox.pointer)
            $0.data.recv_status_on_client.status = cgrpc_inbox_code(inbox.pointer)
            $0.data.recv_status_on_client.status_details = cgrpc_inbox_details(inbox.pointer)
        }
    }

    mutating func sendStatus(
        _ code: StatusCode, details: UnsafeMutablePointer<grpc_slice>, trailing: PreparedMetadata
    ) {
        add(GRPC_OP_SEND_STATUS_FROM_SERVER) {
            $0.data.send_status_from_server.status = grpc_status_code(Int32(code.rawValue))
            $0.data.send_status_from_server.status_details = details
            $0.data.send_status_from_server.trailing_metadata_count = trailing.array.count
            $0.data.send_status_from_server.trailing_metadata = trailing.array.baseAddress
        }
    }

    mutating func receiveClose(into cancelled: UnsafeMutablePointer<Int32>) {
        add(GRPC_OP_RECV_CLOSE_ON_SERVER) { $0.data.recv_close_on_server.cancelled = cancelled }
    }
}

/// The heap memory into which the core writes what a call receives. Read it only after the batch that fills it.
struct Inbox {
    let pointer: UnsafeMutablePointer<cgrpc_inbox>

    static func allocate() -> Inbox {
        let pointer = UnsafeMutablePointer<cgrpc_inbox>.allocate(capacity: 1)
        pointer.initialize(to: cgrpc_inbox())
        grpc_metadata_array_init(cgrpc_inbox_initial(pointer))
        grpc_metadata_array_init(cgrpc_inbox_trailing(pointer))
        return Inbox(pointer: pointer)
    }

    func free() {
        if let message = pointer.pointee.message { grpc_byte_buffer_destroy(message) }
        grpc_metadata_array_destroy(cgrpc_inbox_initial(pointer))
        grpc_metadata_array_destroy(cgrpc_inbox_trailing(pointer))
        grpc_slice_unref(pointer.pointee.details)
        pointer.deinitialize(count: 1)
        pointer.deallocate()
    }

    /// Whether the call ended well.
    var isOK: Bool { pointer.pointee.code == GRPC_STATUS_OK }

    var status: Status {
        Status(
            code: StatusCode(rawValue: Int(pointer.pointee.code.rawValue)) ?? .unknown,
            message: String(slice: pointer.pointee.details),
            metadata: Metadata(cgrpc_inbox_trailing(pointer).pointee))
    }

    var initialMetadata: Metadata { Metadata(cgrpc_inbox_initial(pointer).pointee) }

    /// The received message, which leaves the inbox; nil when none came.
    func takeMessage() -> Message? {
        guard let buffer = pointer.pointee.message else { return nil }
        pointer.pointee.message = nil
        return Message(adopting: buffer)
    }
}
