internal import CSmartCols
internal import Glibc

/// A table for people, laid out by libsmartcols: columns as wide as their widest cell, with two spaces between them.
///
/// Rows that come later stand under those before them: a column never gets narrower.
struct Table {
    struct Cell: ExpressibleByStringLiteral {
        var text: String
        /// The escape sequence that switches its colour on; nil for none.
        var colour: String?

        init(_ text: String, colour: String? = nil) {
            self.text = text
            self.colour = colour
        }

        init(stringLiteral text: String) { self.init(text) }
    }

    private let titles: [String]
    private var widths: [Int]

    init(_ titles: [String]) {
        self.titles = titles
        widths = titles.map { _ in 0 }
    }

    /// The rows, each with its line end.
    mutating func text(_ rows: [[Cell]], withHeader: Bool = true) -> String {
        // The library prints nothing at all for a table without rows.
        if rows.isEmpty { return withHeader ? titles.joined(separator: "  ") + "\n" : "" }
        guard let table = scols_new_table() else { return "" }
        defer { scols_unref_table(table) }
        // A title counts for the width also where it is not shown; by then the column is as wide as it anyway.
        let columns = titles.indices.map { column($0, withHeader ? titles[$0] : "", of: table) }
        for row in rows { add(row, to: table) }
        scols_table_enable_maxout(table, 0)
        scols_table_enable_noheadings(table, withHeader ? 0 : 1)
        scols_table_enable_colors(table, 1)
        scols_table_set_column_separator(table, "  ")
        // Not cut to the width of a terminal: what is cut cannot be copied.
        scols_table_set_termforce(table, Int32(SCOLS_TERMFORCE_NEVER))
        var text: UnsafeMutablePointer<CChar>?
        guard scols_print_table_to_string(table, &text) == 0, let text else { return "" }
        defer { free(text) }
        widths = columns.map { $0.map { Int(scols_column_get_width($0)) } ?? 0 }
        let lines = String(cString: text).split(separator: "\n")
        return lines.map { String($0.reversed().drop { $0 == " " }.reversed()) + "\n" }.joined()
    }

    private func column(_ index: Int, _ title: String, of table: OpaquePointer) -> OpaquePointer? {
        // The last one would otherwise be padded to the width of its widest cell.
        let isLast = index == titles.count - 1
        return scols_table_new_column(
            table, title, isLast ? 0 : Double(widths[index]),
            isLast ? Int32(SCOLS_FL_NOEXTREMES) : 0)
    }

    private func add(_ row: [Cell], to table: OpaquePointer) {
        guard let line = scols_table_new_line(table, nil) else { return }
        for (index, cell) in row.enumerated() {
            scols_line_set_data(line, index, cell.text)
            if let colour = cell.colour { scols_cell_set_color(scols_line_get_cell(line, index), colour) }
        }
    }
}

extension Table {
    /// A table without colours that nothing is added to.
    static func text(_ titles: [String], _ rows: [[String]]) -> String {
        var table = Table(titles)
        return table.text(rows.map { $0.map { Cell($0) } })
    }
}
