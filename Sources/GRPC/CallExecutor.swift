internal import CGRPC
internal import Glibc
internal import Synchronization

/// Runs tasks on the thread that also receives what calls return, so that a task goes on without a change of threads when
/// its call has ended. That change is a good part of what a small call costs.
///
/// ```swift
/// try await withTaskExecutorPreference(CallExecutor.shared) { try await client.range(.key("a")) }
/// ```
/// Code that runs here must never block: while it does, no call of this process makes progress. It should also be short:
/// all of it shares one thread.
public final class CallExecutor: TaskExecutor {
    /// The only one: there is one such thread.
    public static let shared = CallExecutor()

    private init() {}

    /// Runs the job on the thread, soon.
    public func enqueue(_ job: consuming ExecutorJob) {
        CompletionQueue.shared.jobs.add(UnownedJob(job))
    }
}

/// The jobs that wait for the queue's thread.
///
/// Unchecked, because what `local` points to belongs to that thread alone.
final class JobQueue: @unchecked Sendable {
    /// Jobs in a round: enough to make the check for news of the network cheap, few enough not to delay it.
    private static let roundLength = 64

    private let thread = Atomic<UInt>(0)
    // Behind a pointer, because every access to a stored property would be checked for exclusivity.
    private let local: UnsafeMutablePointer<Jobs>
    private let remote = Mutex<[UnownedJob]>([])
    private let hasRemote = Atomic<Bool>(false)
    private let alarm: Alarm

    private struct Jobs {
        var waiting: [UnownedJob] = []
        var next = 0
    }

    /// Lives as long as the process.
    init(queue: OpaquePointer) {
        alarm = Alarm(queue: queue)
        local = .allocate(capacity: 1)
        local.initialize(to: Jobs())
    }

    func adoptCurrentThread() { thread.store(pthread_self(), ordering: .releasing) }

    func add(_ job: UnownedJob) {
        if pthread_self() == thread.load(ordering: .relaxed) {
            local.pointee.waiting.append(job)
            return
        }
        let isFirst = remote.withLock { jobs in
            jobs.append(job)
            hasRemote.store(true, ordering: .relaxed)
            return jobs.count == 1
        }
        if isFirst { alarm.ring() }
    }

    /// Whether no job of this thread waits. One that came from another thread rings.
    var isEmpty: Bool { local.pointee.next == local.pointee.waiting.count }

    func runRound() {
        // The thread is rung for what comes after this look.
        if hasRemote.load(ordering: .relaxed) {
            remote.withLock { jobs in
                local.pointee.waiting += jobs
                jobs.removeAll(keepingCapacity: true)
                hasRemote.store(false, ordering: .relaxed)
            }
        }
        let executor = CallExecutor.shared.asUnownedTaskExecutor()
        let end = min(local.pointee.waiting.count, local.pointee.next + JobQueue.roundLength)
        // Jobs that these jobs add come behind them, in a later round.
        while local.pointee.next < end {
            let job = local.pointee.waiting[local.pointee.next]
            local.pointee.next += 1
            job.runSynchronously(on: executor)
        }
        if isEmpty, end > 0 {
            local.pointee.waiting.removeAll(keepingCapacity: true)
            local.pointee.next = 0
        } else if local.pointee.next > 4096, local.pointee.next > local.pointee.waiting.count / 2 {
            local.pointee.waiting.removeFirst(local.pointee.next)
            local.pointee.next = 0
        }
    }
}

/// Wakes the thread that sits in the completion queue.
private final class Alarm: @unchecked Sendable {
    // Never changed after initialisation; the core's calls are thread-safe.
    private let call: OpaquePointer?
    private let completion = Completion()

    init(queue: OpaquePointer) {
        // The core reports a batch without operations at once, whatever the call. This one leads nowhere.
        let channel = grpc_lame_client_channel_create("alarm", GRPC_STATUS_UNAVAILABLE, "not a real channel")
        let path = "/alarm".slice
        call = grpc_channel_create_call(
            channel, nil, cgrpc_propagate_defaults(), queue, path, nil, gpr_inf_future(GPR_CLOCK_MONOTONIC), nil)
        grpc_slice_unref(path)
    }

    func ring() {
        if let call { _ = completion.start(UnsafeBufferPointer(start: nil, count: 0), on: call) }
    }
}
