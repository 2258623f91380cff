package import ServiceKit

/// What a program says of itself to somebody who looks: a few facts, some counts, and lists. One value for the page and for
/// machines.
package struct StatusReport: Sendable {
    package enum Tone: String, Sendable {
        case plain, good, warning, bad
    }

    /// One line: what, and how it is.
    package struct Fact: Sendable {
        package var name: String
        package var value: String
        package var tone: Tone

        package init(_ name: String, _ value: String, _ tone: Tone = .plain) {
            self.name = name
            self.value = value
            self.tone = tone
        }
    }

    /// How many of something there are of each kind.
    package struct Counts: Sendable {
        package var title: String
        /// Where the numbers come from, if that is not obvious.
        package var note: String
        package var parts: [(name: String, count: Int, tone: Tone)]

        package init(_ title: String, note: String = "", _ parts: [(name: String, count: Int, tone: Tone)]) {
            self.title = title
            self.note = note
            self.parts = parts
        }
    }

    /// A list, of which the page may show only the beginning.
    package struct List: Sendable {
        /// Names the list for machines.
        package var id: String
        package var title: String
        package var note: String
        package var columns: [Column]
        /// One value for each column.
        package var rows: [[JSON]]
        /// How many rows there would be without a limit.
        package var total: Int

        package init(
            _ id: String, _ title: String, note: String = "", _ columns: [Column], rows: [[JSON]], total: Int? = nil
        ) {
            self.id = id
            self.title = title
            self.note = note
            self.columns = columns
            self.rows = rows
            self.total = total ?? rows.count
        }
    }

    package struct Column: Sendable {
        package enum Kind: String, Sendable {
            case text
            /// A word with a colour of its own.
            case state
            /// Unix time in milliseconds, shown as how long ago it was.
            case time
            /// In seconds.
            case duration
        }

        package var key: String
        package var kind: Kind

        package init(_ key: String, _ kind: Kind = .text) {
            self.key = key
            self.kind = kind
        }
    }

    package var program: String
    /// Which of the programs it is.
    package var name: String
    package var facts: [Fact]
    package var counts: [Counts]
    package var lists: [List]

    package init(
        program: String, name: String, facts: [Fact] = [], counts: [Counts] = [], lists: [List] = []
    ) {
        self.program = program
        self.name = name
        self.facts = facts
        self.counts = counts
        self.lists = lists
    }

    /// - Parameter time: now, Unix time in milliseconds.
    func json(at time: Int64) -> JSON {
        .object([("time", .integer(time))] + members)
    }

    /// Without the time: the same as long as nothing has changed.
    var members: [(String, JSON)] {
        [
            ("program", .string(program)), ("name", .string(name)),
            ("facts", .array(facts.map(\.json))), ("counts", .array(counts.map(\.json))),
            ("lists", .array(lists.map(\.json))),
        ]
    }
}

extension StatusReport.Fact {
    fileprivate var json: JSON {
        .object([("name", .string(name)), ("value", .string(value)), ("tone", .string(tone.rawValue))])
    }
}

extension StatusReport.Counts {
    fileprivate var json: JSON {
        let parts = parts.map { part in
            JSON.object([
                ("name", .string(part.name)), ("count", .integer(Int64(part.count))),
                ("tone", .string(part.tone.rawValue)),
            ])
        }
        return .object([("title", .string(title)), ("note", .string(note)), ("parts", .array(parts))])
    }
}

extension StatusReport.List {
    fileprivate var json: JSON {
        let columns = columns.map { JSON.object([("key", .string($0.key)), ("kind", .string($0.kind.rawValue))]) }
        let items = rows.map { row in JSON.object(Array(zip(self.columns.map(\.key), row))) }
        return .object([
            ("id", .string(id)), ("title", .string(title)), ("note", .string(note)), ("total", .integer(Int64(total))),
            ("columns", .array(columns)), ("items", .array(items)),
        ])
    }
}
