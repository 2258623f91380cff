internal import CGRPC
internal import Glibc
internal import Synchronization

/// Where the C core reports finished operations: one queue and one thread for the whole process.
///
/// The thread sits in the queue for good. It also moves the bytes of every connection, so a connection recovers even
/// while no call is pending, and it must never block. The queue is never shut down: starting a batch on a queue whose
/// shutdown has begun aborts the process, and a queue that lives as long as the process cannot get there.
final class CompletionQueue: Sendable {
    static let shared = CompletionQueue()

    // The C core's queue is thread-safe, and the pointer never changes.
    nonisolated(unsafe) let pointer: OpaquePointer
    /// What tasks left to do on the queue's thread.
    let jobs: JobQueue

    private init() {
        // The core's own log lines repeat what our errors say; they are for those who debug the core itself.
        if getenv("GRPC_VERBOSITY") == nil { gpr_set_log_function { _ in } }
        grpc_init()
        guard let pointer = grpc_completion_queue_create_for_next(nil) else {
            // Only an exhausted address space gets here, and nothing can be done without the queue.
            abort()
        }
        self.pointer = pointer
        jobs = JobQueue(queue: pointer)
        var thread = pthread_t()
        pthread_create(&thread, nil, CompletionQueue.serve, Unmanaged.passUnretained(self).toOpaque())
        pthread_detach(thread)
    }

    private static let serve: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { queue in
        guard let queue else { return nil }
        Unmanaged<CompletionQueue>.fromOpaque(queue).takeUnretainedValue().serve()
    }

    private func serve() -> Never {
        jobs.adoptCurrentThread()
        let forever = gpr_inf_future(GPR_CLOCK_MONOTONIC)
        let atOnce = gpr_inf_past(GPR_CLOCK_MONOTONIC)
        while true {
            // Jobs that wait behind a full round must not keep the bytes of connections waiting, nor the reverse.
            let event = grpc_completion_queue_next(pointer, jobs.isEmpty ? forever : atOnce, nil)
            if event.type == GRPC_OP_COMPLETE, let tag = event.tag {
                Unmanaged<Completion>.fromOpaque(tag).takeRetainedValue().finish(succeeded: event.success != 0)
            }
            jobs.runRound()
        }
    }
}

/// What a batch of operations leaves behind when it is done. The tag in the C core holds one reference, which the
/// queue's thread takes back exactly once.
class Completion {
    /// The core hands a batch from thread to thread in ways that the thread sanitizer cannot see; this one it can.
    private let handover = Atomic<Bool>(false)

    /// Called once, on the queue's thread; must not block.
    func complete(succeeded: Bool) {}

    fileprivate final func finish(succeeded: Bool) {
        _ = handover.load(ordering: .acquiring)
        complete(succeeded: succeeded)
    }

    /// The tag for an operation that is about to be handed to the core. It holds a reference.
    final func tag() -> UnsafeMutableRawPointer {
        handover.store(true, ordering: .releasing)
        return Unmanaged.passRetained(self).toOpaque()
    }

    /// Takes a tag back that the core did not accept.
    static func takeBack(_ tag: UnsafeMutableRawPointer) { Unmanaged<Completion>.fromOpaque(tag).release() }

    /// Hands the operations to the core. When that fails no completion follows and nothing is retained.
    final func start(_ operations: UnsafeBufferPointer<grpc_op>, on call: OpaquePointer) -> grpc_call_error {
        let tag = tag()
        let error = grpc_call_start_batch(call, operations.baseAddress, operations.count, tag, nil)
        if error != GRPC_CALL_OK { Completion.takeBack(tag) }
        return error
    }
}

/// A completion that is a closure: for operations that are not on the path of every call.
final class ClosureCompletion: Completion {
    private let body: (Bool) -> Void

    init(_ body: @escaping (Bool) -> Void) { self.body = body }

    override func complete(succeeded: Bool) { body(succeeded) }
}
