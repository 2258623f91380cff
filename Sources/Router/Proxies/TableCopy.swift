internal import Foundation
internal import Glibc
internal import HTTP
internal import ServiceKit
internal import SubstrateModel

/// Keeps nginx's copy of the table of actors, from which it answers without asking: see `NginxTable` for the other side.
///
/// The copy is as old as the way to it, about a millisecond. It is used no longer than the table itself is believed, and no longer
/// than `life` after it was brought up to date, by the clock that both processes see.
package struct TableCopy: Sendable {
    private let resolver: ActorResolver
    private let activity: RouterActivity?

    package init(of resolver: ActorResolver, activity: RouterActivity? = nil) {
        self.resolver = resolver
        self.activity = activity
    }

    var known: KnownActors { resolver.known }

    /// Between two updates, also if nothing has changed: so often it is heard who has been asked for.
    private static let interval: Duration = .seconds(1)
    /// Changes that come closer together go together.
    private static let pause: Duration = .milliseconds(5)
    private static let life: Duration = .seconds(3)
    private static let timeout: Duration = .seconds(2)

    /// Runs until the task is cancelled.
    /// - Parameter socket: where nginx takes updates.
    func run(_ socket: String, _ environment: Environment) async {
        let news = Signal()
        await withDiscardingTaskGroup { group in
            group.addTask { for await _ in resolver.known.listeners.changes { news.fire() } }
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: Self.interval)
                    news.fire()
                }
            }
            group.addTask { await update(socket, after: news, environment) }
        }
    }

    private func update(_ socket: String, after news: Signal, _ environment: Environment) async {
        var isWhole = true
        var failures = 0
        for await _ in news.wakeUps {
            do {
                let changes = resolver.known.changes(isWhole: isWhole)
                let answer = try await HTTPClient.send(
                    "POST", "http://nginx/", headers: ["Content-Type": "text/plain", "Expect": ""],
                    body: Array(text(of: changes).utf8), timeout: Self.timeout, over: .socket(path: socket))
                guard answer.status == 200 else { throw ProxyError("\(answer.status): \(answer.text)") }
                note(NginxTable.counts(in: answer.text))
                isWhole = false
                failures = 0
            } catch {
                // Whether it has arrived nobody knows.
                isWhole = true
                failures += 1
                // nginx takes a moment to begin.
                if failures == 10 {
                    environment.log.warning(
                        "nginx cannot be told where actors run, so it asks about each request; will try again",
                        ["error": .string("\(error)")])
                }
            }
            do { try await Task.sleep(for: isWhole ? Self.pause * 20 : Self.pause) } catch { return }
        }
    }

    private func text(of changes: KnownActors.Changes) -> String {
        NginxTable.update(
            isWhole: changes.isWhole, until: Self.now + min(changes.belief, Self.life),
            places: changes.places.map { actor, place in
                guard let destination = place?.destination, !destination.isRouter || resolver.passesOn else {
                    return (actor, nil)
                }
                return (actor, destination)
            })
    }

    private func note(_ counts: [ActorRef: Int]) {
        if counts.isEmpty { return }
        resolver.noteAnswers(counts)
        guard let activity else { return }
        for (actor, count) in counts {
            guard let place = resolver.known.place(of: actor) else { continue }
            activity.routed(actor, to: place.destination, .zero, count: count)
        }
    }

    /// The time since the machine was started, with all that it slept.
    private static var now: Duration {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
