internal import CGRPC
internal import Glibc

/// Where the C core reports finished operations: one queue and one thread for the whole process.
///
/// The thread sits in the queue for good. It also moves the bytes of every connection, so a connection recovers even
/// while no call is pending, and it must never block. The queue is never shut down: starting a batch on a queue whose
/// shutdown has begun aborts the process, and a queue that lives as long as the process cannot get there.
final class CompletionQueue: Sendable {
    static let shared = CompletionQueue()

    // The C core's queue is thread-safe, and the pointer never changes.
    nonisolated(unsafe) let pointer: OpaquePointer

    private init() {
        // The core's own log lines repeat what our errors say; they are for those who debug the core itself.
        if getenv("GRPC_VERBOSITY") == nil { gpr_set_log_function { _ in } }
        grpc_init()
        guard let pointer = grpc_completion_queue_create_for_next(nil) else {
            // Only an exhausted address space gets here, and nothing can be done without the queue.
            abort()
        }
        self.pointer = pointer
        var thread = pthread_t()
        pthread_create(&thread, nil, CompletionQueue.poll, UnsafeMutableRawPointer(pointer))
        pthread_detach(thread)
    }

    private static let poll: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { queue in
        guard let queue else { return nil }
        let forever = gpr_inf_future(GPR_CLOCK_MONOTONIC)
        while true {
            let event = grpc_completion_queue_next(OpaquePointer(queue), forever, nil)
            if event.type == GRPC_OP_COMPLETE, let tag = event.tag {
                Unmanaged<Completion>.fromOpaque(tag).takeRetainedValue().complete(succeeded: event.success != 0)
            }
        }
    }
}

/// What a batch of operations leaves behind when it is done. The tag in the C core holds one reference, which the
/// queue's thread takes back exactly once.
class Completion {
    /// Called once, on the queue's thread; must not block.
    func complete(succeeded: Bool) {}

    /// Hands the operations to the core. When that fails no completion follows and nothing is retained.
    final func start(_ operations: UnsafeBufferPointer<grpc_op>, on call: OpaquePointer) -> grpc_call_error {
        let tag = Unmanaged.passRetained(self)
        let error = grpc_call_start_batch(call, operations.baseAddress, operations.count, tag.toOpaque(), nil)
        if error != GRPC_CALL_OK { tag.release() }
        return error
    }
}

/// A completion that is a closure: for operations that are not on the path of every call.
final class ClosureCompletion: Completion {
    private let body: (Bool) -> Void

    init(_ body: @escaping (Bool) -> Void) { self.body = body }

    override func complete(succeeded: Bool) { body(succeeded) }
}
