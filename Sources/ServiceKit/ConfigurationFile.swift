internal import Foundation

/// Flags in a file, one in each line under its own name, beside those of the command line:
///
/// ```
/// # Where etcd is.
/// etcd-endpoints = 127.0.0.1:2379
/// insecure = true
/// ```
/// Everything behind the first `=` is the value, without the blanks around it. What the command line gives counts alone.
package enum ConfigurationFile {
    /// The flag that names it.
    static let flag = "config"
    /// A file of flags is short; this one is something else.
    private static let maximumBytes = 1 << 20

    /// A flag and its value, and the line.
    typealias Entry = (name: String, value: String, line: Int)

    /// - Throws: `FlagError`, which names file and line.
    static func entries(of path: String) throws(FlagError) -> [Entry] {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw FlagError("--config \(path): cannot be read: \(error.localizedDescription)")
        }
        guard data.count <= maximumBytes, let text = String(data: data, encoding: .utf8) else {
            throw FlagError("--config \(path): is not a text of at most \(maximumBytes >> 20) MiB")
        }
        return try entries(in: text, path)
    }

    static func entries(in text: String, _ path: String) throws(FlagError) -> [Entry] {
        var entries: [Entry] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = line.trimmingCharacters(in: .whitespaces)
            if line.isEmpty || line.hasPrefix("#") { continue }
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard parts.count == 2, !parts[0].isEmpty else {
                throw FlagError(
                    "\(path):\(index + 1): must be <name of a flag> = <value>, or a comment that begins with '#'")
            }
            entries.append((parts[0], parts[1], index + 1))
        }
        return entries
    }
}
