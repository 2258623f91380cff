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
/// Unchecked, because `local` belongs to that thread alone.
final class JobQueue: @unchecked Sendable {
    /// Jobs in a round: enough to make the check for news of the network cheap, few enough not to delay it.
    private static let roundLength = 64

    private let thread = Atomic<UInt>(0)
    private var local: [UnownedJob] = []
    private var next = 0
    private let remote = Mutex<[UnownedJob]>([])
    private let hasRemote = Atomic<Bool>(false)
    private let alarm: Alarm

    init(queue: OpaquePointer) { alarm = Alarm(queue: queue) }

    func adoptCurrentThread() { thread.store(pthread_self(), ordering: .releasing) }

    func add(_ job: UnownedJob) {
        if pthread_self() == thread.load(ordering: .relaxed) {
            local.append(job)
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
    var isEmpty: Bool { next == local.count }

    func runRound() {
        // The thread is rung for what comes after this look.
        if hasRemote.load(ordering: .relaxed) {
            remote.withLock { jobs in
                local += jobs
                jobs.removeAll(keepingCapacity: true)
                hasRemote.store(false, ordering: .relaxed)
            }
        }
        let end = min(local.count, next + JobQueue.roundLength)
        // Jobs that these jobs add come behind them, in a later round.
        while next < end {
            let job = local[next]
            next += 1
            job.runSynchronously(on: CallExecutor.shared.asUnownedTaskExecutor())
        }
        if next == local.count {
            local.removeAll(keepingCapacity: true)
            next = 0
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
