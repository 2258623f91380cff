internal import Glibc

/// What the kernel shows as files under `/proc`.
enum KernelFile {
    /// The whole file; nil with `errno` when it cannot be read. The kernel gives it out in pieces, and what reads by the
    /// file's size, or up to the first piece that is not full, would miss most of it.
    static func contents(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        return withUnsafeTemporaryAllocation(byteCount: pieceSize, alignment: 1) { piece in
            while true {
                let count = read(descriptor, piece.baseAddress, piece.count)
                if count == 0 { return bytes }
                if count > 0 {
                    bytes += piece[..<count]
                } else if errno != EINTR {
                    return nil
                }
            }
        }
    }

    /// The ids of all processes.
    static func processes() -> [Int32] { numbers(in: "/proc") }

    /// The entries of a directory that are numbers.
    static func numbers(in path: String) -> [Int32] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var ids: [Int32] = []
        while let entry = readdir(directory) {
            let id = withUnsafeBytes(of: &entry.pointee.d_name) { name in
                Int32(String(decoding: name.prefix { $0 != 0 }, as: UTF8.self))
            }
            if let id { ids.append(id) }
        }
        return ids
    }

    private static let pieceSize = 16 << 10
}
