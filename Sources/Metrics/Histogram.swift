internal import Synchronization

/// How often something had which size, by the values of its labels.
package final class Histogram: Sendable {
    package let definition: Definition
    private let series = Mutex(Series<Cell>())

    private struct Cell {
        /// One for each bound, and one for what lies above all of them.
        var counts: [UInt64]
        var sum = 0.0

        init(bounds: Int) { counts = Array(repeating: 0, count: bounds + 1) }

        var count: UInt64 { counts.reduce(0, +) }
    }

    init(_ definition: Definition) { self.definition = definition }

    /// - Parameter value: in the base unit of the metric.
    package func observe(_ value: Double, _ first: String = "", _ second: String = "") {
        let bounds = definition.buckets
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        series.withLock {
            $0.update(Labels(first: first, second: second, third: ""), orBegin: Cell(bounds: bounds.count)) { cell in
                cell.counts[index] += 1
                cell.sum += value
            }
        }
    }

    /// - Parameter duration: observed in seconds.
    package func observe(_ duration: Duration, _ first: String = "", _ second: String = "") {
        observe(duration.seconds, first, second)
    }

    /// How often anything was observed under these labels.
    package func count(_ first: String = "", _ second: String = "") -> Int {
        Int(series.withLock { $0[Labels(first: first, second: second, third: "")]?.count } ?? 0)
    }
}

extension Histogram: Family {
    func write(to text: inout Exposition) {
        let (name, bounds) = (definition.name, definition.buckets)
        for (labels, cell) in series.withLock({ $0.sorted }) {
            let values = Array(labels.values.prefix(definition.labels.count))
            var below: UInt64 = 0
            for (index, count) in cell.counts.enumerated() {
                below += count
                let bound = index < bounds.count ? Exposition.number(bounds[index]) : "+Inf"
                text.sample("\(name)_bucket", definition.labels + ["le"], values + [bound], Double(below))
            }
            text.sample("\(name)_sum", definition.labels, values, cell.sum)
            text.sample("\(name)_count", definition.labels, values, Double(below))
        }
    }
}

extension Duration {
    /// In seconds, with fractions.
    package var seconds: Double { self / .seconds(1) }
}
