/// What may be declared of snapshots.
enum SnapshotRules {
    /// Longest location, in bytes; it is part of the row of each actor.
    static let maximumLocation = 1024

    static func violation(of template: ActorTemplate) -> String? {
        let place = "spec.snapshotsConfig"
        if let violation = violation(ofLocation: template.snapshotLocation, template.sandboxClass) {
            return "\(place).location \(violation)"
        }
        if template.sandboxClass == .process {
            for (field, content) in [("onCommit", template.onCommit), ("onPause", template.onPause)]
            where content != .data {
                return "\(place).\(field) must be Data: an actor of class process cannot have its memory saved"
            }
        }
        if template.onPause == .data, template.onCommit == .full {
            return "\(place).onCommit must be Data where onPause is Data: a suspend cannot save more than a pause"
        }
        return nil
    }

    private static func violation(ofLocation location: String, _ sandboxClass: SandboxClass) -> String? {
        if location.isEmpty { return "is required" }
        if location.utf8.count > maximumLocation { return "must be no more than \(maximumLocation) bytes" }
        // What runs plain processes has no other place for snapshots.
        if location.hasPrefix("gs://"), sandboxClass != .process {
            return isBucketPath(location.dropFirst(5))
                ? nil : "must be gs://, a bucket and a path, without '..', '?', '#', '@' and spaces"
        }
        guard let path = SnapshotURI(location).filePath else {
            return (sandboxClass == .process ? "must be" : "must be gs:// and a bucket, or")
                + " file:// and an absolute path without '..'"
        }
        return path == "/" ? "must not be the root directory" : nil
    }

    private static func isBucketPath(_ text: Substring) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let bucket = parts.first, !bucket.isEmpty, bucket.utf8.allSatisfy(LabelRule.isNameByte) else {
            return false
        }
        return !parts.contains("..") && text.utf8.allSatisfy { (0x21...0x7e).contains($0) && !"?#@".utf8.contains($0) }
    }
}

extension SnapshotURI {
    /// The path of a `file://` URI; nil when it is another kind, or not absolute, or goes up.
    package var filePath: String? {
        let scheme = "file://"
        guard text.hasPrefix(scheme) else { return nil }
        let path = String(text.dropFirst(scheme.count))
        let parts = path.split(separator: "/")
        guard path.hasPrefix("/"), !parts.contains("."), !parts.contains(".."),
            !path.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f })
        else { return nil }
        return path
    }
}
