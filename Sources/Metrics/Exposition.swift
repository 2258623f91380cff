/// The text format of Prometheus, version 0.0.4.
struct Exposition {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var text = ""

    mutating func head(_ definition: Definition) {
        text += "# HELP \(definition.name) \(Self.escapedHelp(definition.help))\n"
        text += "# TYPE \(definition.name) \(definition.kind.rawValue)\n"
    }

    /// One line. Values beyond the names are left out: a metric has as many as it has names.
    mutating func sample(_ name: String, _ labels: [String], _ values: [String], _ value: Double) {
        text += name
        if !labels.isEmpty {
            let pairs = zip(labels, values).map { "\($0)=\"\(Self.escapedValue($1))\"" }
            text += "{\(pairs.joined(separator: ","))}"
        }
        text += " \(Self.number(value))\n"
    }

    /// As Prometheus reads it; whole numbers without a point.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }

    private static func escapedHelp(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }

    private static func escapedValue(_ text: String) -> String {
        escapedHelp(text).replacing("\"", with: "\\\"")
    }
}

extension Labels: Comparable {
    static func < (left: Labels, right: Labels) -> Bool {
        (left.first, left.second, left.third) < (right.first, right.second, right.third)
    }
}
