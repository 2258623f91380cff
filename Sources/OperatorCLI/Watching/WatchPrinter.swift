internal import ServiceKit

/// Shows what a watch tells: the current state as a table, then a line per change under it. In the other formats each change,
/// the current state included, is a document of its own.
struct WatchPrinter<Update: WatchUpdate> {
    private let view: View<Update.Object>
    private let format: OutputFormat
    private let isColoured: Bool
    private var table: Table
    private var hasBegun = false

    init(_ view: View<Update.Object>, _ format: OutputFormat, coloured: Bool) {
        self.view = view
        self.format = format
        isColoured = coloured
        table = Table(view.columns(as: format).map(\.title))
    }

    /// What to print for the changes that one update made.
    mutating func text(_ changes: [WatchedObjects<Update>.Change]) -> String {
        let sorted = changes.sorted { view.isBefore($0.object, $1.object) }
        switch format {
        case .table, .wide:
            defer { hasBegun = true }
            let rows = sorted.map {
                view.cells($0.object, as: format, coloured: isColoured, isDeleted: $0.isDeletion)
            }
            return table.text(rows, withHeader: !hasBegun)
        case .json: return sorted.map { document($0).text() + "\n" }.joined()
        case .yaml: return sorted.map { "---\n" + document($0).yaml }.joined()
        case .name: return sorted.map { "\(view.kind)/\(view.name($0.object))\n" }.joined()
        }
    }

    /// As an event of Kubernetes' watches, without which a deletion could not be told from a change.
    private func document(_ change: WatchedObjects<Update>.Change) -> JSON {
        .object([("type", .string(change.name)), ("object", view.json(change.object))])
    }
}
