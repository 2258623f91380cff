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
/// How many there are is bounded whatever is observed: who scrapes pays for each, and so does this process.
struct Series<Cell> {
    /// More than any metric of ours has.
    static var limit: Int { 512 }

    private(set) var cells: [Labels: Cell] = [:]

    mutating func update(_ labels: Labels, orBegin new: @autoclosure () -> Cell, _ change: (inout Cell) -> Void) {
        var labels = labels
        if cells[labels] == nil, cells.count >= Self.limit { labels = .other }
        change(&cells[labels, default: new()])
    }
}
