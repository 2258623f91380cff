internal import Foundation
internal import SubstrateModel

/// The check of a pool's settings of Kubernetes pods. They are kept as they are, for those who start machines.
enum PodSettings {
    private static let known: Set<String> = [
        "nodeSelector", "tolerations", "priorityClassName", "nodeAffinity", "resources",
    ]
    /// The reference's limit.
    private static let maximumTolerations = 16

    /// What is wrong with the JSON, in terms of the manifest, or nil.
    static func violation(of json: String) -> String? {
        if json.isEmpty { return nil }
        guard let settings = try? JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any] else {
            return "spec.template must be a JSON object"
        }
        if let unknown = settings.keys.sorted().first(where: { !known.contains($0) }) {
            return "spec.template.\(unknown.excerpt) is unknown; known are \(known.sorted().joined(separator: ", "))"
        }
        for name in ["nodeSelector", "nodeAffinity", "resources"] {
            if let value = settings[name], !(value is [String: Any]) {
                return "spec.template.\(name) must be a mapping"
            }
        }
        if let name = settings["priorityClassName"], !(name is String) {
            return "spec.template.priorityClassName must be a text"
        }
        guard let tolerations = settings["tolerations"] else { return nil }
        guard let list = tolerations as? [Any], list.allSatisfy({ $0 is [String: Any] }) else {
            return "spec.template.tolerations must be a list of mappings"
        }
        if list.count > maximumTolerations {
            return "spec.template.tolerations has more than \(maximumTolerations) entries"
        }
        return nil
    }
}
