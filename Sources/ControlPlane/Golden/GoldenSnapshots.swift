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
        for wish in progress.next(of: control.catalog.templatesWithoutGoldenSnapshot) {
            attempts.submit {
                await attempt(wish)
                begin()
            }
        }
    }

    private func attempt(_ wish: Catalog.GoldenWish) async {
        let golden = GoldenSnapshot(control: control, template: wish.template)
        do throws(GoldenFailure) {
            try await golden.take()
            progress.ended(wish)
        } catch {
            if Task.isCancelled { return }
            await golden.note(error)
            if !error.isOurs { await golden.letGo(session) }
            let pause = progress.failed(
                wish, control.environment.clock.stopwatch(), firstPause: control.options.goldenCheckInterval,
                isOurs: error.isOurs)
            control.environment.log.warning(
                "could not take a golden snapshot, will try again",
                [
                    "template": .text(wish.template), "reason": .string(error.reason),
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
            var failures: [Catalog.GoldenWish: Failure] = [:]
        }

        private let state = Mutex(State())

        func lookAgain() { state.withLock { $0.done = [] } }

        /// Whose snapshots are to be taken now; they count as under way from here on.
        func next(of wishes: [Catalog.GoldenWish]) -> [Catalog.GoldenWish] {
            state.withLock { state in
                // What is wanted no more, or has gone, has not failed any more either, nor has what was created anew.
                state.failures = state.failures.filter { wishes.contains($0.key) }
                var next: [Catalog.GoldenWish] = []
                for wish in wishes where state.underWay.count < Self.attemptsAtATime {
                    if let failure = state.failures[wish], failure.since.elapsed() < failure.pause { continue }
                    guard !state.done.contains(wish.template), state.underWay.insert(wish.template).inserted else {
                        continue
                    }
                    next.append(wish)
                }
                return next
            }
        }

        func ended(_ wish: Catalog.GoldenWish) {
            state.withLock { state in
                state.underWay.remove(wish.template)
                state.failures[wish] = nil
                state.done.insert(wish.template)
            }
        }

        /// - Parameter isOurs: whether it says nothing about the template: then the pause does not grow.
        /// - Returns: for how long it is left alone.
        func failed(
            _ wish: Catalog.GoldenWish, _ since: Stopwatch, firstPause: Duration, isOurs: Bool
        ) -> Duration {
            state.withLock { state in
                state.underWay.remove(wish.template)
                var backoff =
                    state.failures[wish]?.backoff
                    ?? Backoff(from: firstPause, to: max(firstPause, Self.longestPause))
                let pause = isOurs ? firstPause : backoff.pause()
                state.failures[wish] = Failure(backoff: backoff, pause: pause, since: since)
                return pause
            }
        }
    }
}
