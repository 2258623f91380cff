internal import CMessages
package import GRPC
internal import Protobuf
internal import SubstrateModel

extension Receipt {
    func fill(_ message: inout Substrate__Receipt, _ arena: Arena) {
        message.epoch = epoch.revision
        message.actor_ip = arena.bytes(address?.ip ?? "")
        message.actor_port = Int32(clamping: address?.port ?? 0)
        switch state {
        case .running: message.state = SUBSTRATE__RECEIPT__STATE__STATE_RUNNING
        case .notRunning: message.state = SUBSTRATE__RECEIPT__STATE__STATE_NOT_RUNNING
        case .busy: message.state = SUBSTRATE__RECEIPT__STATE__STATE_BUSY
        case .noSnapshot: message.state = SUBSTRATE__RECEIPT__STATE__STATE_NO_SNAPSHOT
        case .checkpointed(let snapshot):
            message.state = SUBSTRATE__RECEIPT__STATE__STATE_CHECKPOINTED
            switch snapshot {
            case .external(let uri): message.snapshot_uri_prefix = arena.bytes(uri.text)
            case .local(let name): message.local_snapshot_prefix = arena.bytes(name.text)
            }
        }
    }

    init(_ message: borrowing Substrate__Receipt) throws {
        let state: State
        switch message.state {
        case SUBSTRATE__RECEIPT__STATE__STATE_RUNNING: state = .running
        case SUBSTRATE__RECEIPT__STATE__STATE_NOT_RUNNING: state = .notRunning
        case SUBSTRATE__RECEIPT__STATE__STATE_BUSY: state = .busy
        case SUBSTRATE__RECEIPT__STATE__STATE_NO_SNAPSHOT: state = .noSnapshot
        case SUBSTRATE__RECEIPT__STATE__STATE_CHECKPOINTED:
            let local = try message.local_snapshot_prefix.text("local_snapshot_prefix")
            if local.isEmpty {
                let uri = SnapshotURI(try message.snapshot_uri_prefix.text("snapshot_uri_prefix"))
                state = .checkpointed(.external(uri))
            } else {
                guard let name = LocalSnapshotName(local) else {
                    throw MalformedMessage(
                        name: "substrate.Receipt", reason: "\(local.excerpt) is no name of a local snapshot")
                }
                state = .checkpointed(.local(name))
            }
        default: throw MalformedMessage(name: "substrate.Receipt", reason: "unknown state \(message.state.rawValue)")
        }
        let address = ActorAddress(nonEmpty: try message.actor_ip.text("actor_ip"), message.actor_port)
        if state == .running, address == nil {
            throw MalformedMessage(name: "substrate.Receipt", reason: "it says that the actor runs and not where")
        }
        self.init(epoch: Epoch(message.epoch), state: state, address: address)
    }

    init(_ message: UnsafeMutablePointer<Substrate__Receipt>?) throws {
        guard let message else { throw MalformedMessage(name: "substrate.Receipt", reason: "it is missing") }
        try self.init(message.pointee)
    }

    /// The header under which a receipt travels with an error status.
    package static let trailer = "ate-receipt-bin"

    /// As a header's value.
    package var bytes: [UInt8] { pack(Substrate__Receipt.self) { fill(&$0, $1) } }

    /// From the trailing metadata of an error; nil when the node gave none.
    package init?(trailer metadata: Metadata) {
        guard let bytes = metadata.binary(Receipt.trailer),
            let receipt = try? bytes.withUnsafeBytes({ bytes in
                try unpack(Substrate__Receipt.self, from: bytes) { try Receipt($0) }
            })
        else { return nil }
        self = receipt
    }
}

extension ReceiptResponse: WireMessage {
    package init(_ message: Message) throws {
        // Run, Restore and Checkpoint answer with the same field.
        receipt = try message.unpack(Atelet__RunResponse.self) { try Receipt($0.receipt) }
    }

    package var message: Message {
        Message.packing(Atelet__RunResponse.self) { response, arena in
            response.receipt = arena.message { receipt.fill(&$0, arena) }
        }
    }
}

extension StatusResponse: WireMessage {
    package init(_ message: Message) throws {
        receipt = try message.unpack(Substrate__StatusResponse.self) { try Receipt($0.receipt) }
    }

    package var message: Message {
        Message.packing(Substrate__StatusResponse.self) { response, arena in
            response.receipt = arena.message { receipt.fill(&$0, arena) }
        }
    }
}

extension StatusRequest: WireMessage {
    package init(_ message: Message) throws {
        workerUID = try message.unpack(Substrate__StatusRequest.self) {
            try $0.target_ateom_uid.text("target_ateom_uid")
        }
    }

    package var message: Message {
        Message.packing(Substrate__StatusRequest.self) { $0.target_ateom_uid = $1.bytes(workerUID) }
    }
}

extension StopRequest: WireMessage {
    package init(_ message: Message) throws {
        workerUID = try message.unpack(Substrate__StopRequest.self) { try $0.target_ateom_uid.text("target_ateom_uid") }
    }

    package var message: Message {
        Message.packing(Substrate__StopRequest.self) { $0.target_ateom_uid = $1.bytes(workerUID) }
    }
}
