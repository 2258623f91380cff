internal import ServiceKit
internal import Synchronization

/// The agents that can be asked in one round.
final class Agents: Sendable {
    private let addresses: Mutex<[String]>

    init(_ addresses: [String]) { self.addresses = Mutex(addresses) }

    var isEmpty: Bool { addresses.withLock(\.isEmpty) }

    /// One that has not been asked yet.
    func any(but asked: Set<String>, _ chance: Chance) -> String? {
        let others = addresses.withLock { $0.filter { !asked.contains($0) } }
        return others.isEmpty ? nil : others[chance.number(in: 0..<others.count)]
    }

    /// Leaves one out from here on.
    func giveUp(_ address: String) { addresses.withLock { $0.removeAll { $0 == address } } }
}
