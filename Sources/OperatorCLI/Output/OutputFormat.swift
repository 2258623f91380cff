/// How results are shown.
enum OutputFormat: String, CaseIterable {
    case table
    /// A table with more columns.
    case wide
    case json
    case yaml
    /// `kind/name`, for scripts.
    case name
}
