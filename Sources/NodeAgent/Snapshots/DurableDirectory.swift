internal import Foundation
internal import Glibc

/// Directories that are still there after a power failure. All functions block.
enum DurableDirectory {
    /// Makes the directory, and those above it that are missing.
    static func create(_ path: String) throws {
        let created = missingAncestors(of: path)
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        // A new directory is on the disk only once the one that it lies in has been synced.
        for path in created { try sync((path as NSString).deletingLastPathComponent) }
    }

    /// How many bytes the files below take on the disk; those that go or cannot be read meanwhile count nothing.
    static func size(of path: String) -> Int {
        let names = FileManager.default.enumerator(atPath: path)
        var total = 0
        while let name = names?.nextObject() as? String {
            var status = stat()
            if lstat("\(path)/\(name)", &status) == 0 { total += Int(status.st_blocks) * 512 }
        }
        return total
    }

    /// Whether there is a directory.
    static func exists(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    static func sync(_ path: String) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileError("sync", path) }
    }

    /// The directories above `path` that do not exist, the lowest first.
    private static func missingAncestors(of path: String) -> [String] {
        var missing: [String] = []
        var parent = (path as NSString).deletingLastPathComponent
        while !parent.isEmpty, !FileManager.default.fileExists(atPath: parent) {
            missing.append(parent)
            parent = (parent as NSString).deletingLastPathComponent
        }
        return missing
    }
}

/// A system call on a file that failed.
struct FileError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// With the error of the last call.
    init(_ action: String, _ path: String) { description = "\(action) \(path): \(String(cString: strerror(errno)))" }
}
