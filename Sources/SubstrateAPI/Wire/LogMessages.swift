internal import CMessages
package import GRPC
internal import Protobuf
internal import SubstrateModel

extension ActorLogsRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Substrate__ActorLogsRequest.self) { request in
            ActorLogsRequest(
                actor: try request.actor.map { try ActorRef($0.pointee) } ?? ActorRef(atespace: "", name: ""),
                follow: request.follow != 0, tail: keptLines(request.tail_lines),
                after: request.after_epoch == 0
                    ? nil : LogPosition(epoch: Epoch(request.after_epoch), line: request.after_position))
        }
    }

    package var message: Message {
        Message.packing(Substrate__ActorLogsRequest.self) { request, arena in
            request.actor = arena.message { actor.fill(&$0, arena) }
            request.follow = follow ? 1 : 0
            request.tail_lines = field(tail: tail)
            request.after_epoch = after?.epoch.revision ?? 0
            request.after_position = after?.line ?? 0
        }
    }
}

extension NodeLogsRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Substrate__NodeLogsRequest.self) { request in
            NodeLogsRequest(
                workerUID: try request.target_ateom_uid.text("target_ateom_uid"), follow: request.follow != 0,
                tail: keptLines(request.tail_lines), afterLine: request.after_position)
        }
    }

    package var message: Message {
        Message.packing(Substrate__NodeLogsRequest.self) { request, arena in
            request.target_ateom_uid = arena.bytes(workerUID)
            request.follow = follow ? 1 : 0
            request.tail_lines = field(tail: tail)
            request.after_position = afterLine
        }
    }
}

// On the wire 0 stands for all lines, and a negative number for none.
private func keptLines(_ field: Int32) -> Int? { field == 0 ? nil : max(0, Int(field)) }
private func field(tail: Int?) -> Int32 {
    guard let tail else { return 0 }
    return tail == 0 ? -1 : Int32(clamping: tail)
}

// The node and the control plane answer with the same fields.
extension LogLines: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Substrate__ActorLogsResponse.self) { response in
            LogLines(
                lines: try map(response.lines, count: response.n_lines) { try LogLine($0) },
                position: LogPosition(epoch: Epoch(response.epoch), line: response.position))
        }
    }

    package var message: Message {
        Message.packing(Substrate__ActorLogsResponse.self) { response, arena in
            (response.n_lines, response.lines) = arena.repeated(lines) { $0.fill(&$1, arena) }
            response.epoch = position.epoch.revision
            response.position = position.line
        }
    }
}

extension LogLine {
    fileprivate func fill(_ message: inout Substrate__LogLine, _ arena: Arena) {
        message.time_ms = timeMilliseconds
        switch source {
        case .standardOutput: message.stream = SUBSTRATE__LOG_LINE__STREAM__STREAM_STDOUT
        case .standardError: message.stream = SUBSTRATE__LOG_LINE__STREAM__STREAM_STDERR
        case .notice: message.stream = SUBSTRATE__LOG_LINE__STREAM__STREAM_NOTICE
        }
        message.container = arena.bytes(container)
        message.text = arena.bytes(text)
        message.worker_pod = arena.bytes(workerPod)
    }

    fileprivate init(_ message: borrowing Substrate__LogLine) throws {
        let source: Source =
            switch message.stream {
            case SUBSTRATE__LOG_LINE__STREAM__STREAM_STDERR: .standardError
            case SUBSTRATE__LOG_LINE__STREAM__STREAM_NOTICE: .notice
            default: .standardOutput
            }
        self.init(
            timeMilliseconds: message.time_ms, source: source, container: try message.container.text("container"),
            text: message.text.array,
            workerPod: try message.worker_pod.text("worker_pod"))
    }
}
