/// A place at which the code under test is held until the test lets it go on.
package final class Gate: Sendable {
    private let arrivals = Tally()
    private let isOpen = Flag()

    package init() {}

    /// For the code under test: notes the arrival, and waits until the gate is open or the task is cancelled.
    package func pass() async {
        arrivals.add()
        while !isOpen.isSet {
            do { try await Task.sleep(for: .milliseconds(1)) } catch { return }
        }
    }

    /// How often somebody has arrived.
    package var arrived: Int { arrivals.count }

    /// Waits until so many have arrived.
    package func waitForArrival(_ count: Int = 1) async throws {
        try await eventually("\(count) at the gate") { arrived >= count }
    }

    /// Lets everybody through, from now on.
    package func open() { isOpen.set() }
}
