internal import ServiceKit

extension JSON {
    /// The value as a YAML document.
    var yaml: String {
        var text = ""
        writeYAML(to: &text, indentation: 0, isInList: false)
        return text
    }

    private func writeYAML(to text: inout String, indentation: Int, isInList: Bool) {
        let margin = String(repeating: " ", count: indentation)
        switch self {
        case .object(let members) where !members.isEmpty:
            for (index, member) in members.enumerated() {
                text += (index == 0 && isInList ? "" : margin) + member.0 + ":"
                member.1.writeYAMLValue(to: &text, indentation: indentation)
            }
        case .array(let elements) where !elements.isEmpty:
            for element in elements {
                text += margin + "- "
                if element.isBlock {
                    element.writeYAML(to: &text, indentation: indentation + 2, isInList: true)
                } else {
                    text += element.yamlScalar + "\n"
                }
            }
        default: text += margin + yamlScalar + "\n"
        }
    }

    private func writeYAMLValue(to text: inout String, indentation: Int) {
        if isBlock {
            text += "\n"
            // Lists stand at the margin of their key, as Kubernetes' tools write them.
            let isList = if case .array = self { true } else { false }
            writeYAML(to: &text, indentation: indentation + (isList ? 0 : 2), isInList: false)
        } else {
            text += " " + yamlScalar + "\n"
        }
    }

    private var isBlock: Bool {
        switch self {
        case .object(let members): !members.isEmpty
        case .array(let elements): !elements.isEmpty
        default: false
        }
    }

    private var yamlScalar: String {
        switch self {
        case .string(let text):
            let isPlain =
                text.first?.isLetter == true
                && text.unicodeScalars.allSatisfy {
                    $0.properties.isAlphabetic || $0.properties.numericType != nil || "-_./".unicodeScalars.contains($0)
                }
                && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(text.lowercased())
            return isPlain ? text : self.text()
        case .object: return "{}"
        case .array: return "[]"
        default: return self.text()
        }
    }
}
