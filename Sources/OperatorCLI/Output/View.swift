internal import ServiceKit

/// How the objects of one kind are shown.
struct View<Object: Sendable>: Sendable {
    struct Column: Sendable {
        let title: String
        /// Whether only wide tables have it.
        var isWide = false
        /// Whether it tells the object's state, in colour on a terminal.
        var isState = false
        let text: @Sendable (Object) -> String

        init(
            _ title: String, isWide: Bool = false, isState: Bool = false, _ text: @escaping @Sendable (Object) -> String
        ) {
            self.title = title
            self.isWide = isWide
            self.isState = isState
            self.text = text
        }
    }

    let kind: ResourceKind
    let columns: [Column]
    /// As it is given to commands.
    let name: @Sendable (Object) -> String
    let json: @Sendable (Object) -> JSON
    /// What `-l` selects by; nil for a kind without labels.
    var labels: (@Sendable (Object) -> [String: String])?
    let isBefore: @Sendable (Object, Object) -> Bool

    /// The state that a deleted object is shown in.
    static var deleted: String { "DELETED" }

    /// The objects in order, with the line end.
    func text(_ objects: [Object], as format: OutputFormat, coloured: Bool = false) -> String {
        let sorted = objects.sorted(by: isBefore)
        switch format {
        case .json: return list(sorted).text(indentation: 2) + "\n"
        case .yaml: return list(sorted).yaml
        case .name: return sorted.map { "\(kind)/\(name($0))\n" }.joined()
        case .table, .wide:
            var table = Table(columns(as: format).map(\.title))
            return table.text(sorted.map { cells($0, as: format, coloured: coloured) })
        }
    }

    /// As the API's list response is in JSON.
    private func list(_ objects: [Object]) -> JSON { ProtoJSON.object([(kind.plural, .array(objects.map(json)))]) }

    func columns(as format: OutputFormat) -> [Column] { columns.filter { format == .wide || !$0.isWide } }

    /// The row of an object; of one that has been deleted, with that for its state.
    func cells(
        _ object: Object, as format: OutputFormat, coloured: Bool, isDeleted: Bool = false
    ) -> [Table.Cell] {
        columns(as: format).map { column in
            let text = column.isState && isDeleted ? Self.deleted : column.text(object)
            return Table.Cell(text, colour: coloured && column.isState ? StatusColour.sequence(for: text) : nil)
        }
    }
}
