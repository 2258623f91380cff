/// Where the tasks of one simulated process run: it collects their jobs for the scheduler.
///
/// Child tasks inherit it, so whatever a process starts in task groups stays in its lane.
///
/// `@unchecked`: see `Scheduler`.
final class Lane: TaskExecutor, @unchecked Sendable {
    let name: String
    /// Tells it from the others in the digest.
    let number: Int
    private unowned let scheduler: Scheduler
    private var parked: [UnownedJob] = []
    private(set) var isPaused = false
    /// The process has crashed: what is left of its tasks is only wound up.
    private(set) var isTornDown = false

    init(_ name: String, number: Int, _ scheduler: Scheduler) {
        self.name = name
        self.number = number
        self.scheduler = scheduler
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isPaused { parked.append(job) } else { scheduler.enqueue(job, of: self) }
    }

    func run(_ job: UnownedJob) { job.runSynchronously(on: asUnownedTaskExecutor()) }

    /// Nothing of the process runs until `resume`, as under SIGSTOP.
    func pause() {
        guard !isPaused, !isTornDown else { return }
        isPaused = true
        parked = scheduler.withdraw(self)
    }

    func resume() {
        guard isPaused else { return }
        isPaused = false
        for job in parked { scheduler.enqueue(job, of: self) }
        parked = []
    }

    /// From here on jobs run at once and in order.
    func tearDown() {
        let waiting = isPaused ? parked : scheduler.withdraw(self)
        isPaused = false
        parked = []
        isTornDown = true
        for job in waiting { scheduler.enqueue(job, of: self) }
    }
}
