package import Metrics
internal import Synchronization

/// The samples of a registry at one time, by name with labels, as the text format has them.
package struct MetricSamples: Sendable, Equatable {
    package var values: [String: Double] = [:]

    package init(_ exposition: String) {
        for line in exposition.split(separator: "\n") where !line.hasPrefix("#") {
            guard let end = line.lastIndex(of: " ") else { continue }
            values[String(line[..<end])] = Double(line[line.index(after: end)...])
        }
    }

    package subscript(sample: String) -> Double? { values[sample] }
}

/// Looks at a registry again and again, to see which of its metrics have ever changed.
package final class MovedMetrics: Sendable {
    private let registry: MetricRegistry
    private let seen = Mutex<[String: Set<Double>]>([:])

    package init(_ registry: MetricRegistry) {
        self.registry = registry
        look()
    }

    @discardableResult
    package func look() -> MetricSamples {
        let samples = MetricSamples(registry.exposition)
        seen.withLock { seen in for (sample, value) in samples.values { seen[sample, default: []].insert(value) } }
        return samples
    }

    /// Looks while something goes on.
    package func looking(_ body: () async throws -> Void) async throws {
        try await running({ [self] in
            while !Task.isCancelled {
                look()
                try await Task.sleep(for: .milliseconds(5))
            }
        }) { try await body() }
        look()
    }

    /// The metrics of which some sample has been seen with different values, or has come up with another than 0.
    package var moved: Set<String> {
        let moving = seen.withLock { seen in seen.filter { $0.value.count > 1 || $0.value.contains { $0 != 0 } }.keys }
        return Set(
            registry.definitions.filter { definition in
                moving.contains { sample in
                    let name = sample.prefix { $0 != "{" }
                    return name == definition.name
                        || definition.kind == .histogram && name == definition.name + "_count"
                }
            }.map(\.name))
    }

    /// Those that never were.
    package var still: Set<String> { Set(registry.definitions.map(\.name)).subtracting(moved) }
}
