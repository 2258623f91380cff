package import Etcd
package import SubstrateModel

/// Which of a part of a range each worker's actor has, and which of the others may be given.
///
/// A worker keeps the address of its last actor until it takes the next one, and it is from then on that the address rests.
/// A worker can be claimed anew only when its earlier binding has gone, so by then no row names the address any more, however
/// late the actor was released; and nobody has to note how an actor has ended.
package struct AddressPool: Sendable {
    private let range: AddressRange
    private let indices: Range<Int>
    private let rest: Duration
    /// Until this has run for `rest` none is given; nil when there is nothing to wait for.
    private let quarantine: Stopwatch?
    /// Where to look next. It goes round, so that each address rests for as long as can be.
    private var cursor: Int
    /// By the workers' pod names.
    private var held: [String: Int] = [:]
    private var uses: [Int: Use] = [:]

    private enum Use {
        case given
        case resting(since: Stopwatch)
    }

    /// - Parameters:
    ///   - indices: of the range, which may be given; not empty.
    ///   - start: which of them is looked at first.
    ///   - rest: for how long an address is given to nobody.
    ///   - quarantine: begun when the last activation had ended that may have had one of these before.
    package init(
        _ range: AddressRange, _ indices: Range<Int>, startingAt start: Int, rest: Duration, quarantine: Stopwatch?
    ) {
        self.range = range
        self.indices = indices
        self.rest = rest
        self.quarantine = quarantine
        cursor = start
    }

    /// An address for the worker's next actor. That of its last one begins to rest.
    /// - Parameter now: a stopwatch that has just been started.
    /// - Returns: nil when all are in use or rest.
    package mutating func take(for pod: String, now: Stopwatch) -> ActorAddress? {
        if let last = held.removeValue(forKey: pod) { uses[last] = .resting(since: now) }
        guard let index = next() else { return nil }
        held[pod] = index
        uses[index] = .given
        return range[index]
    }

    /// The start that this address was taken for has come to nothing, and nobody has been told of it. What the worker has from
    /// an earlier start stays as it is: that was known.
    package mutating func giveBack(_ address: ActorAddress, of pod: String) {
        guard let index = held[pod], range[index] == address else { return }
        held[pod] = nil
        uses[index] = nil
    }

    /// One that could be given now, and is given to nobody until it is given back: for what nobody else is told of.
    package mutating func lend() -> (index: Int, address: ActorAddress)? {
        guard let index = next() else { return nil }
        uses[index] = .given
        return (index, range[index])
    }

    /// What was lent can be given at once.
    package mutating func giveBack(_ index: Int) { uses[index] = nil }

    private mutating func next() -> Int? {
        if let quarantine, quarantine.elapsed() < rest { return nil }
        for _ in indices {
            let index = cursor
            cursor = index + 1 < indices.upperBound ? index + 1 : indices.lowerBound
            switch uses[index] {
            case nil: return index
            case .given: continue
            case .resting(let since): if since.elapsed() >= rest { return index }
            }
        }
        return nil
    }
}
