internal import Foundation
internal import Glibc

/// Files that are open and have no name any more. runsc cannot save an actor that has one in its durable directory: it gives up
/// in the middle, and the actor is dead.
enum DeletedFiles {
    /// One of them, as the kernel names it; nil when there is none. Blocks.
    /// - Parameters:
    ///   - processes: those of the sandbox, which have the actor's files open for it.
    ///   - directory: only files of its file system count. By their path they cannot be told: those processes have a root of
    ///     their own.
    static func first(of processes: [Int32], onFileSystemOf directory: String) -> String? {
        var place = stat()
        guard stat(directory, &place) == 0 else { return nil }
        for pid in processes {
            let descriptors = "/proc/\(pid)/fd"
            for number in KernelFile.numbers(in: descriptors) {
                var status = stat()
                guard let target = link("\(descriptors)/\(number)"), target.hasSuffix(deleted),
                    stat("\(descriptors)/\(number)", &status) == 0, status.st_dev == place.st_dev
                else { continue }
                return String(target.dropLast(deleted.count))
            }
        }
        return nil
    }

    private static let deleted = " (deleted)"

    private static func link(_ path: String) -> String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &bytes, bytes.count)
        return count < 0 ? nil : String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
