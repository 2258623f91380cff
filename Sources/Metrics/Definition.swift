/// What one metric is called and what it says, in the conventions of Prometheus: `ate_` first, base units, `_total` behind
/// what only grows.
package struct Definition: Sendable, Equatable {
    package enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    package var name: String
    package var kind: Kind
    /// One sentence without a full stop.
    package var help: String
    /// The names of its labels, at most three. Each takes few values: they come from enums, methods and configuration,
    /// never from what users name.
    package var labels: [String]
    /// Upper bounds of a histogram's buckets, ascending; the last one is followed by infinity.
    package var buckets: [Double]

    private init(_ name: String, _ kind: Kind, _ help: String, _ labels: [String], _ buckets: [Double] = []) {
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
        self.buckets = buckets
    }

    /// Something that only grows.
    package static func counter(_ name: String, _ help: String, by labels: [String] = []) -> Definition {
        Definition(name, .counter, help, labels)
    }

    /// Something that is now so, and may go up and down.
    package static func gauge(_ name: String, _ help: String, by labels: [String] = []) -> Definition {
        Definition(name, .gauge, help, labels)
    }

    /// How often something had which size.
    package static func histogram(
        _ name: String, _ help: String, by labels: [String] = [], buckets: [Double]
    ) -> Definition {
        Definition(name, .histogram, help, labels, buckets)
    }
}

/// Bounds of buckets.
package enum Buckets {
    /// Of calls within a data centre, in seconds.
    package static let calls: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    /// Of what starts and saves actors, in seconds: up to the time after which a node is given up.
    package static let work: [Double] = [
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
    ]
    /// Of files, in bytes: powers of four from 4 KiB to 16 GiB.
    package static let sizes: [Double] = (6...17).map { Double(1 << (2 * $0)) }
}
