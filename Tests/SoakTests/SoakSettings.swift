import Foundation
import Glibc
import ServiceKit
import TestKit

/// What a run of the soak test is to be, from the environment.
struct SoakSettings: Sendable {
    /// Everything that is decided by chance comes from it: what is done to whom, how often and how long.
    let seed: UInt64
    /// How long there are faults.
    let duration: Duration

    static let current = SoakSettings()

    private init() {
        let environment = ProcessInfo.processInfo.environment
        seed = environment["SOAK_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 1...999_999)
        duration = .seconds((environment["SOAK_MINUTES"].flatMap { Double($0) } ?? 1) * 60)
    }

    static var isWanted: Bool {
        let environment = ProcessInfo.processInfo.environment
        return environment["SUBSTRATE_FULL_TESTS"] != nil || environment["SOAK_MINUTES"] != nil
    }

    /// The chance of one of those who act at the same time: the choices of one do not depend on how fast another is.
    func chance(_ stream: String) -> Chance {
        let mixed = stream.utf8.reduce(seed &* 0x100_0000_01b3) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return Chance(SeededGenerator(seed: mixed))
    }

    /// The directory of the built programs, which is this one's.
    static var programs: String {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
    }
}

extension Chance {
    /// A duration in the range, in milliseconds.
    func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .milliseconds(number(in: range.lowerBound..<range.upperBound + 1))
    }

    func element<Element>(of array: [Element]) -> Element { array[number(in: 0..<array.count)] }

    /// Whether something happens that happens so often in a hundred.
    func percent(_ share: Int) -> Bool { number(in: 0..<100) < share }
}

/// Draws from a pack of cards, which is shuffled whenever it is empty: nothing stays away for long.
struct Deck<Card> {
    private let cards: [Card]
    private var left: [Card] = []
    private let chance: Chance

    init(_ cards: [Card], _ chance: Chance) {
        self.cards = cards
        self.chance = chance
    }

    mutating func draw() -> Card {
        if left.isEmpty { left = cards }
        return left.remove(at: chance.number(in: 0..<left.count))
    }
}
