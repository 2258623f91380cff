package import GRPC
internal import SubstrateAPI
package import SubstrateModel

/// `atelet.AteomHerder` and `substrate.Node` over the workers of a node.
package struct NodeServices: Sendable {
    private let slots: WorkerSlots
    private let sandboxClass: SandboxClass
    private let readers = ReaderLimit()

    /// - Parameter sandboxClass: what the node's workers have, which decides what can be asked of them.
    package init(slots: WorkerSlots, sandboxClass: SandboxClass) {
        self.slots = slots
        self.sandboxClass = sandboxClass
    }

    /// Every method that a node serves.
    package var methods: [ServerMethod] {
        [
            ServerMethod(NodeMethods.run) { request, call in
                try NodeValidation.check(request.workload, sandboxClass)
                return try await answer(request.workerUID, call) { slot, fences throws(NodeFailure) in
                    ReceiptResponse(receipt: try await slot.start(request.workload, from: nil, fences))
                }
            },
            ServerMethod(NodeMethods.restore) { request, call in
                try NodeValidation.check(request.workload, sandboxClass)
                _ = try NodeValidation.check(request.snapshot, request.content, of: request.workload, sandboxClass)
                return try await answer(request.workerUID, call) { slot, fences throws(NodeFailure) in
                    ReceiptResponse(receipt: try await slot.start(request.workload, from: request.snapshot, fences))
                }
            },
            ServerMethod(NodeMethods.checkpoint) { request, call in
                let content = try NodeValidation.check(
                    request.snapshot, request.content, of: request.workload, sandboxClass)
                return try await answer(request.workerUID, call) { slot, fences throws(NodeFailure) in
                    ReceiptResponse(
                        receipt: try await slot.checkpoint(
                            to: request.snapshot, fences, content: content, minimumIdleness: request.minimumIdleness))
                }
            },
            ServerMethod(NodeMethods.activity) { request, _ in
                do throws(RuntimeFailure) { return try await slots.activity(request) } catch {
                    throw Status(code: error.code, message: error.reason)
                }
            },
            ServerMethod(NodeMethods.status) { request, call in
                try await answer(request.workerUID, call) { slot, fences throws(NodeFailure) in
                    StatusResponse(receipt: try await slot.status(fences))
                }
            },
            ServerMethod(NodeMethods.stop) { request, call in
                try await answer(request.workerUID, call) { slot, fences throws(NodeFailure) in
                    StatusResponse(receipt: try await slot.stop(fences))
                }
            },
            .stream(NodeMethods.logs) { request, writer, call in try await sendOutput(request, writer, call) },
        ]
    }

    private func sendOutput(
        _ request: NodeLogsRequest, _ writer: ResponseWriter<LogLines>, _ call: ServerCall
    ) async throws {
        guard let stay = Stay(call.metadata) else {
            throw Status(
                code: .invalidArgument, message: "the metadata ate-incarnation and ate-epoch must be positive numbers")
        }
        guard request.afterLine >= 0 else {
            throw Status(code: .invalidArgument, message: "after_position cannot be negative")
        }
        let slot = try slot(request.workerUID)
        let output: ActorOutput
        do throws(NodeFailure) { output = try slot.output(stay) } catch { throw error.status }
        try await readers.counting(slot.ref) {
            let reader = output.reader(tail: request.tail, afterLine: request.afterLine, follow: request.follow)
            while let lines = await reader.next() { try await writer.send(lines) }
        }
    }

    private func slot(_ workerUID: String) throws(Status) -> WorkerSlot {
        guard let slot = slots.slot(uid: workerUID) else {
            // It may be known in a moment: others see the presence of a new worker before the agent hears that it stands.
            throw Status(code: .unavailable, message: "this node has no worker of uid \(workerUID.prefix(64))")
        }
        return slot
    }

    private func answer<Response>(
        _ workerUID: String, _ call: ServerCall,
        _ body: (WorkerSlot, Fences) async throws(NodeFailure) -> Response
    ) async throws -> Response {
        guard let fences = Fences(call.metadata) else {
            throw Status(
                code: .invalidArgument,
                message: "the metadata ate-incarnation, ate-epoch and ate-operation must be positive numbers")
        }
        let slot = try slot(workerUID)
        do throws(NodeFailure) {
            return try await body(slot, fences)
        } catch {
            var status = error.status
            if let receipt = error.receipt { status.metadata.append(Receipt.trailer, binary: receipt.bytes) }
            throw status
        }
    }
}

/// The checks of requests to a node.
enum NodeValidation {
    static func check(_ workload: Workload, _ sandboxClass: SandboxClass) throws(Status) {
        let actor = workload.actor
        guard NameRule.allows(actor.name), NameRule.allows(actor.atespace) else {
            throw Status(code: .invalidArgument, message: "invalid actor \(actor)")
        }
        let violation =
            ContainerRules.violation(of: workload.containers, sandboxClass)
            ?? workload.sandboxRules.violation(sandboxClass)
        if let violation { throw Status(code: .invalidArgument, message: violation) }
        // Where a node mounts something is not left to those who call it.
        for container in workload.containers {
            for mount in container.volumeMounts {
                guard let violation = VolumeRules.violation(ofPath: mount.path) else { continue }
                throw Status(
                    code: .invalidArgument,
                    message: "containers[\(container.name)].volumeMounts[\(mount.name.excerpt)].mountPath \(violation)")
            }
        }
    }

    /// - Returns: what the snapshot holds, or is to hold.
    static func check(
        _ snapshot: Snapshot, _ content: SnapshotContent?, of workload: Workload, _ sandboxClass: SandboxClass
    ) throws(Status) -> SnapshotContent {
        switch snapshot {
        case .external(let uri):
            if uri.text.isEmpty {
                throw Status(code: .invalidArgument, message: "external_config.snapshot_uri_prefix is required")
            }
        case .local(let name):
            if name.actorUID != workload.actorUID {
                throw Status(
                    code: .invalidArgument,
                    message:
                        "local_config.snapshot_prefix must begin with the uid of the actor, \(workload.actorUID.excerpt)"
                )
            }
        }
        switch content {
        case nil: throw Status(code: .invalidArgument, message: "scope is required")
        case .full where sandboxClass == .process:
            throw Status(
                code: .failedPrecondition,
                message: "this node runs actors as plain processes, whose memory cannot be saved: "
                    + "the scope must be SNAPSHOT_SCOPE_DATA")
        case .full: return .full
        case .data: return .data
        }
    }
}
