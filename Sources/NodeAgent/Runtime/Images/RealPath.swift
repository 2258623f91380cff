internal import Glibc

/// Paths without links in them, so that they can be compared.
enum RealPath {
    /// - Returns: nil when there is nothing at the path.
    static func of(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    /// Whether a path is the directory, or lies in it. Both have to be real paths.
    static func `is`(_ path: String, below directory: String) -> Bool {
        path == directory || path.hasPrefix(directory == "/" ? "/" : directory + "/")
    }
}
