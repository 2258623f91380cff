internal import Etcd
internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore
internal import Synchronization

/// Takes the golden snapshots that templates want: what the leader does.
///
/// As with lost workers, events only say: look again. What is to be done next follows from the template's status and the golden
/// actor's row, so the next leader goes on where this one has stopped, and two of them do no harm. A template whose
/// snapshot could not be taken says why, and is tried again after a pause that grows.
struct GoldenSnapshots: Sendable {
    let control: ControlPlane
    let session: ReplicaSession
    private let progress = Progress()
    private let attempts = TaskPool()

    init(control: ControlPlane, session: ReplicaSession) {
        self.control = control
        self.session = session
    }

    /// Runs until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await attempts.run() }
            group.addTask {
                for await _ in control.catalog.listeners.changes {
                    progress.lookAgain()
                    begin()
                }
            }
            group.addTask { await sweep() }
            group.addTask { await GoldenLeftovers(control: control, session: session).run() }
        }
    }

    /// Looks again at templates whose pause is over.
    private func sweep() async {
        while true {
            do { try await control.environment.clock.sleep(for: control.options.goldenCheckInterval) } catch { return }
            progress.lookAgain()
            begin()
        }
    }

    private func begin() {
        for template in progress.next(of: control.catalog.templatesWithoutGoldenSnapshot) {
            attempts.submit {
                await attempt(template)
                begin()
            }
        }
    }

    private func attempt(_ template: TemplateRef) async {
        let golden = GoldenSnapshot(control: control, template: template)
        do throws(GoldenFailure) {
            try await golden.take()
            progress.ended(template)
        } catch {
            if Task.isCancelled { return }
            await golden.note(error)
            if !error.isOurs { await golden.letGo(session) }
            let pause = progress.failed(
                template, control.environment.clock.stopwatch(), firstPause: control.options.goldenCheckInterval)
            control.environment.log.warning(
                "could not take a golden snapshot, will try again",
                [
                    "template": .text(template), "reason": .string(error.reason),
                    "not before": .string("\(pause)"),
                ])
        }
    }

    /// What is under way.
    private final class Progress: Sendable {
        /// Each has an actor started and writes a snapshot, and may wait for some seconds in between.
        private static let attemptsAtATime = 8
        private static let longestPause: Duration = .seconds(600)

        private struct Failure {
            var backoff: Backoff
            var pause: Duration
            var since: Stopwatch
        }

        private struct State {
            var underWay: Set<TemplateRef> = []
            /// Those that have been dealt with since somebody has looked: the catalog may not show it yet.
            var done: Set<TemplateRef> = []
            var failures: [TemplateRef: Failure] = [:]
        }

        private let state = Mutex(State())

        func lookAgain() { state.withLock { $0.done = [] } }

        /// Whose snapshots are to be taken now; they count as under way from here on.
        func next(of templates: [TemplateRef]) -> [TemplateRef] {
            state.withLock { state in
                // What is wanted no more, or has gone, has not failed any more either.
                state.failures = state.failures.filter { templates.contains($0.key) }
                var next: [TemplateRef] = []
                for template in templates where state.underWay.count < Self.attemptsAtATime {
                    if let failure = state.failures[template], failure.since.elapsed() < failure.pause { continue }
                    guard !state.done.contains(template), state.underWay.insert(template).inserted else { continue }
                    next.append(template)
                }
                return next
            }
        }

        func ended(_ template: TemplateRef) {
            state.withLock { state in
                state.underWay.remove(template)
                state.failures[template] = nil
                state.done.insert(template)
            }
        }

        /// Returns for how long it is left alone.
        func failed(_ template: TemplateRef, _ since: Stopwatch, firstPause: Duration) -> Duration {
            state.withLock { state in
                state.underWay.remove(template)
                var backoff =
                    state.failures[template]?.backoff
                    ?? Backoff(from: firstPause, to: max(firstPause, Self.longestPause))
                let pause = backoff.pause()
                state.failures[template] = Failure(backoff: backoff, pause: pause, since: since)
                return pause
            }
        }
    }
}
