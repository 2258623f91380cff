/// What is now so. It is looked up when somebody asks, so nothing has to be kept up to date meanwhile.
struct Gauge: Family {
    let definition: Definition
    let read: @Sendable () -> [Reading]

    func write(to text: inout Exposition) {
        for reading in read().prefix(Series<Double>.limit) {
            text.sample(definition.name, definition.labels, reading.labels, reading.value)
        }
    }
}

/// One value of a gauge.
package struct Reading: Sendable, Equatable {
    package var value: Double
    /// The values of the labels, in the order of the definition.
    package var labels: [String]

    package init(_ value: Double, _ labels: String...) {
        self.value = value
        self.labels = labels
    }
}
