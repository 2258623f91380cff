/// What is known of one object, for people: a line per fact, with the values under each other.
struct Description {
    private var facts: [(title: String, lines: [String])] = []

    /// Adds a fact; one without a value is shown as `<none>`, so that it can be told from one that is not known.
    mutating func add(_ title: String, _ value: String?) {
        facts.append((title, [value.flatMap { $0.isEmpty ? nil : $0 } ?? "<none>"]))
    }

    /// Adds a fact of several lines.
    mutating func add(_ title: String, _ lines: [String]) {
        if lines.isEmpty { add(title, nil) } else { facts.append((title, lines)) }
    }

    var text: String {
        let width = (facts.map(\.title.count).max() ?? 0) + 3
        let margin = String(repeating: " ", count: width)
        return facts.map { fact in
            let title = "\(fact.title):" + String(repeating: " ", count: width - fact.title.count - 1)
            return title + fact.lines.joined(separator: "\n\(margin)") + "\n"
        }.joined()
    }
}
