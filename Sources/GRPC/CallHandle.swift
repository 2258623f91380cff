internal import CGRPC

/// Owns one call object of the core.
final class CallHandle: Sendable {
    // The core's calls are thread-safe where this type uses them; the pointer never changes.
    nonisolated(unsafe) let pointer: OpaquePointer

    init(adopting pointer: OpaquePointer) {
        self.pointer = pointer
        CallCensus.opened()
    }

    deinit {
        grpc_call_unref(pointer)
        CallCensus.closed()
    }

    /// Ends the call with `.cancelled` unless it has already ended. Allowed from any thread, before or after a batch.
    func cancel() { grpc_call_cancel(pointer, nil) }
}

extension CallHandle {
    /// Runs one batch of a stream and returns whether the core says that it succeeded. `kept` lives until the batch has
    /// completed. Cancelling the task cancels the call.
    func perform(
        keeping kept: OutgoingMessage? = nil, _ build: (inout Operations) -> Void
    ) async throws(RPCError) -> Bool {
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<BatchOutcome, Never>) in
                let completion = ClosureCompletion { succeeded in
                    withExtendedLifetime(kept) {}
                    continuation.resume(returning: .completed(succeeded: succeeded))
                }
                let error = Operations.batch { batch in
                    build(&batch)
                    return completion.start(batch.list, on: pointer)
                }
                if error != GRPC_CALL_OK { continuation.resume(returning: .notStarted(error)) }
            }
        } onCancel: {
            cancel()
        }
        switch outcome {
        case .completed(let succeeded): return succeeded
        case .notStarted(let error): throw .notStarted(describe(error))
        }
    }
}

private enum BatchOutcome {
    case completed(succeeded: Bool)
    case notStarted(grpc_call_error)
}
