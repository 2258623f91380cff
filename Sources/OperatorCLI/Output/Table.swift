internal import CSmartCols
internal import Glibc

/// A table for people, laid out by libsmartcols.
enum Table {
    /// Columns as wide as their widest cell, with two spaces between them.
    static func text(_ header: [String], _ rows: [[String]]) -> String {
        // The library prints nothing at all for a table without rows.
        if rows.isEmpty { return header.joined(separator: "  ") }
        guard let table = scols_new_table() else { return "" }
        defer { scols_unref_table(table) }
        scols_table_enable_maxout(table, 0)
        scols_table_set_column_separator(table, "  ")
        for (index, name) in header.enumerated() {
            let column = scols_table_new_column(table, name, 0, 0)
            // Otherwise the last column is padded to the width of the widest cell.
            if index == header.count - 1 { scols_column_set_flags(column, Int32(SCOLS_FL_NOEXTREMES)) }
        }
        for row in rows {
            guard let line = scols_table_new_line(table, nil) else { continue }
            for (index, cell) in row.enumerated() { scols_line_set_data(line, index, cell) }
        }
        // Not cut to the width of a terminal: what is cut cannot be copied.
        scols_table_set_termforce(table, Int32(SCOLS_TERMFORCE_NEVER))
        var text: UnsafeMutablePointer<CChar>?
        guard scols_print_table_to_string(table, &text) == 0, let text else { return "" }
        defer { free(text) }
        let lines = String(cString: text).split(separator: "\n", omittingEmptySubsequences: false)
        return lines.map { String($0.reversed().drop { $0 == " " }.reversed()) }.joined(separator: "\n")
    }
}
