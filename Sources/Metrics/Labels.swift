/// The values of a metric's labels, in the order of its definition. Three fields instead of an array, which every observation
/// would have to allocate.
struct Labels: Hashable, Sendable {
    var first: String
    var second: String
    var third: String

    /// What everything counts under that comes when a metric has as many series as it may have.
    static let other = Labels(first: "other", second: "other", third: "other")

    var values: [String] { [first, second, third] }
}

/// The cells of one metric, one for each combination of label values that has occurred.
///
/// How many there are is bounded whatever is observed: who scrapes pays for each, and so does this process. A cell that is
/// there is found and changed without taking memory.
struct Series<Cell> {
    /// More than any metric of ours has.
    static var limit: Int { 512 }
    /// So many are looked through faster than a key is hashed.
    private static var few: Int { 12 }

    private var labels: [Labels] = []
    private var cells: [Cell] = []
    private var places: [Labels: Int] = [:]

    mutating func update(_ labels: Labels, orBegin new: @autoclosure () -> Cell, _ change: (inout Cell) -> Void) {
        change(&cells[place(of: labels) ?? begin(labels, new())])
    }

    subscript(labels: Labels) -> Cell? { place(of: labels).map { cells[$0] } }

    /// All of them, sorted.
    var sorted: [(labels: Labels, cell: Cell)] {
        zip(labels, cells).map { ($0, $1) }.sorted { $0.labels < $1.labels }
    }

    private func place(of labels: Labels) -> Int? {
        self.labels.count <= Self.few ? self.labels.firstIndex(of: labels) : places[labels]
    }

    private mutating func begin(_ new: Labels, _ cell: Cell) -> Int {
        var new = new
        if labels.count >= Self.limit {
            new = .other
            if let place = places[new] { return place }
        }
        places[new] = cells.count
        labels.append(new)
        cells.append(cell)
        return cells.count - 1
    }
}
