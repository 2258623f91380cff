internal import Synchronization

/// A metric with its values.
protocol Family: Sendable {
    var definition: Definition { get }
    func write(to text: inout Exposition)
}

/// The metrics of one program: nothing about them is global, so that several can live in one process.
package final class MetricRegistry: Sendable {
    /// By the name of the metric.
    private let families = Mutex<[String: any Family]>([:])

    package init() {}

    /// A metric of this registry. Asked for twice, it is the same one.
    package func counter(_ definition: Definition) -> Counter {
        add(definition, Counter(definition))
    }

    package func histogram(_ definition: Definition) -> Histogram {
        add(definition, Histogram(definition))
    }

    /// What is looked up instead of kept.
    /// - Parameter read: asked at each scrape, on any thread; must not wait. The last one that is given counts.
    package func readings(_ definition: Definition, _ read: @escaping @Sendable () -> [Reading]) {
        families.withLock { $0[definition.name] = Gauge(definition: definition, read: read) }
    }

    /// The same for one without labels; nil is no value.
    package func reading(_ definition: Definition, _ read: @escaping @Sendable () -> Double?) {
        readings(definition) { read().map { [Reading($0)] } ?? [] }
    }

    private func add<New: Family>(_ definition: Definition, _ new: New) -> New {
        families.withLock { families in
            if let known = families[definition.name] as? New { return known }
            families[definition.name] = new
            return new
        }
    }

    private var sorted: [any Family] {
        families.withLock { Array($0.values) }.sorted { $0.definition.name < $1.definition.name }
    }

    /// What there is, by name.
    package var definitions: [Definition] { sorted.map(\.definition) }

    /// Everything in the text format of Prometheus.
    package var exposition: String {
        var text = Exposition()
        for family in sorted {
            text.head(family.definition)
            family.write(to: &text)
        }
        return text.text
    }

    /// The type of `exposition`.
    package static let contentType = Exposition.contentType
}
