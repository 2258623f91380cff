/// The chance of one run: everything in it that is drawn is drawn from its seed.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    /// SplitMix64: one addition and a few shifts, and seeds that follow each other give unrelated numbers.
    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31)
    }

    /// A number from 0 up to and without `count`.
    mutating func index(below count: Int) -> Int { Int(((next() >> 32) * UInt64(count)) >> 32) }

    /// True once in `count` times; never for 0.
    mutating func once(in count: Int) -> Bool { count > 0 && index(below: count) == 0 }

    mutating func pick<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[index(below: elements.count)]
    }

    /// A duration between the two, as a multiple of the grain of time.
    mutating func duration(_ shortest: Duration, _ longest: Duration) -> Duration {
        let grains = (longest - shortest).nanoseconds / VirtualTime.grain.nanoseconds
        return shortest + VirtualTime.grain * index(below: Int(grains) + 1)
    }
}

extension Duration {
    /// Whole nanoseconds.
    var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
