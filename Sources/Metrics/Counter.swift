internal import Synchronization

/// Something that only grows, by the values of its labels.
package final class Counter: Sendable {
    package let definition: Definition
    private let series = Mutex(Series<Double>())

    init(_ definition: Definition) {
        self.definition = definition
        // One without labels is there from the beginning, so that its first increase is one.
        if definition.labels.isEmpty { add(0) }
    }

    /// - Parameters:
    ///   - amount: not negative.
    ///   - first, second, third: the values of as many labels as there are.
    package func add(_ amount: Double = 1, _ first: String = "", _ second: String = "", _ third: String = "") {
        series.withLock {
            $0.update(Labels(first: first, second: second, third: third), orBegin: 0) { $0 += max(0, amount) }
        }
    }

    package func add(_ amount: Double = 1, _ first: some RawRepresentable<String>) { add(amount, first.rawValue) }

    /// Its value now, for tests and pages.
    package func value(_ first: String = "", _ second: String = "", _ third: String = "") -> Double {
        series.withLock { $0[Labels(first: first, second: second, third: third)] } ?? 0
    }

    /// All its values together.
    package var sum: Double { series.withLock { $0.sorted.reduce(0) { $0 + $1.cell } } }
}

extension Counter: Family {
    func write(to text: inout Exposition) {
        for (labels, value) in series.withLock({ $0.sorted }) {
            text.sample(definition.name, definition.labels, labels.values, value)
        }
    }
}
