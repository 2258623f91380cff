extension FieldReader {
    /// A text; a number or the like is taken as it is written.
    func text(_ key: String) throws(ManifestError) -> String? {
        guard let node = take(key) else { return nil }
        guard case .scalar(let text, _, _) = node else { throw error(key, at: node.line, "must be a text") }
        return text
    }

    func integer(_ key: String) throws(ManifestError) -> Int? {
        guard let node = take(key) else { return nil }
        guard case .scalar(let text, isQuoted: false, _) = node, let number = Int(text) else {
            throw error(key, at: node.line, "must be a whole number")
        }
        return number
    }

    /// `true` or `false`; nil when it is not there.
    func boolean(_ key: String) throws(ManifestError) -> Bool? {
        guard let node = take(key) else { return nil }
        guard case .scalar(let text, isQuoted: false, _) = node, let value = Bool(text) else {
            throw error(key, at: node.line, "must be true or false")
        }
        return value
    }

    /// One of the values that the type has; nil when it is not there.
    func choice<Value: RawRepresentable & CaseIterable>(
        _ key: String, _ type: Value.Type = Value.self
    ) throws(ManifestError) -> Value? where Value.RawValue == String {
        guard let node = take(key) else { return nil }
        if case .scalar(let text, _, _) = node, let value = Value(rawValue: text) { return value }
        let known = Value.allCases.map(\.rawValue).joined(separator: ", ")
        throw error(key, at: node.line, "must be one of \(known)")
    }

    /// A time as Kubernetes writes them: `90s`, `1h30m`, `1.5m`.
    func duration(_ key: String) throws(ManifestError) -> Duration? {
        guard let node = take(key) else { return nil }
        guard case .scalar(let text, _, _) = node, let duration = Duration(manifest: text) else {
            throw error(key, at: node.line, "must be a time like 90s, 10m or 1h30m")
        }
        return duration
    }

    /// A number as Kubernetes writes them, with a suffix of 10 or 2 to some power; nil when it is not there.
    /// - Parameter what: it counts, for messages.
    func quantity<Value>(
        _ key: String, _ what: String, _ convert: (Double) -> Value
    ) throws(ManifestError) -> Value? {
        guard let node = take(key) else { return nil }
        guard case .scalar(let text, _, _) = node, let number = Double(quantity: text) else {
            throw error(key, at: node.line, "must be a number of \(what)")
        }
        return convert(number)
    }

    func integers(_ key: String) throws(ManifestError) -> [Int] {
        var numbers: [Int] = []
        for node in try list(key) {
            guard case .scalar(let text, isQuoted: false, _) = node, let number = Int(text) else {
                throw error(key, at: node.line, "must be a list of whole numbers")
            }
            numbers.append(number)
        }
        return numbers
    }

    func texts(_ key: String) throws(ManifestError) -> [String] {
        var texts: [String] = []
        for node in try list(key) {
            guard case .scalar(let text, _, _) = node else {
                throw error(key, at: node.line, "must be a list of texts")
            }
            texts.append(text)
        }
        return texts
    }

    /// A mapping of texts.
    func labels(_ key: String) throws(ManifestError) -> [String: String] {
        guard let node = take(key) else { return [:] }
        guard case .mapping(let members, _) = node else {
            throw error(key, at: node.line, "must be a mapping of texts")
        }
        var labels: [String: String] = [:]
        for member in members {
            guard case .scalar(let text, _, _) = member.value else {
                throw error("\(key).\(member.key)", at: member.line, "must be a text")
            }
            labels[member.key] = text
        }
        return labels
    }
}

extension Double {
    /// A positive number, perhaps with a suffix, of at most a million million million in all.
    init?(quantity text: String) {
        let units: [(String, Double)] = [
            ("Ki", 0x1p10), ("Mi", 0x1p20), ("Gi", 0x1p30), ("Ti", 0x1p40), ("m", 1e-3), ("k", 1e3), ("M", 1e6),
            ("G", 1e9), ("T", 1e12),
        ]
        let unit = units.first { text.hasSuffix($0.0) }
        let digits = text.dropLast(unit?.0.count ?? 0)
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
            let number = Double(digits), number > 0, case let value = number * (unit?.1 ?? 1), value <= 1e18
        else { return nil }
        self = value
    }
}

extension Duration {
    /// From numbers with the units h, m, s, ms, us and ns, one behind the other, of at most a million hours in all.
    init?(manifest text: String) {
        let units = [("ms", 1e-3), ("us", 1e-6), ("µs", 1e-6), ("ns", 1e-9), ("h", 3600), ("m", 60), ("s", 1)]
        var rest = text[...]
        var seconds = 0.0
        repeat {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(digits.count)
            guard let number = Double(digits), let (unit, factor) = units.first(where: { rest.hasPrefix($0.0) }) else {
                return nil
            }
            seconds += number * factor
            rest = rest.dropFirst(unit.count)
        } while !rest.isEmpty
        guard seconds <= 3.6e9 else { return nil }
        self = .seconds(seconds)
    }
}
