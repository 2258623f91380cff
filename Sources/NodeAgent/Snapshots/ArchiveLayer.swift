internal import CArchive
internal import Foundation
internal import Glibc

extension Archive {
    /// Applies a layer of an image to what the layers below it have put into a directory: what it has is added or replaces
    /// what is there, and what it marks as gone is removed. Owners are numbers, as in the layer. Devices and pipes are left out.
    /// An entry that would land outside of the directory, or through a link in it, is an error. Blocks.
    /// - Parameter file: a tar archive, plain or compressed with gzip or zstd.
    static func apply(
        layer file: String, to directory: String, isCancelled: () -> Bool = { false }
    ) throws(ArchiveError) {
        guard let real = realpath(directory, nil) else { throw ArchiveError("\(directory) is not there") }
        let base = String(cString: real)
        free(real)
        // Marks concern the layers below alone, wherever in this one they stand.
        try forEachEntry(of: file, isCancelled) { entry, _ throws(ArchiveError) in
            guard let marked = try Whiteout(name(of: entry)) else { return }
            try marked.apply(to: base)
        }
        guard let disk = archive_write_disk_new() else { throw ArchiveError("no memory") }
        defer { archive_write_free(disk) }
        archive_write_disk_set_options(
            disk,
            ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_SECURE_SYMLINKS
                | ARCHIVE_EXTRACT_SECURE_NODOTDOT)
        try forEachEntry(of: file, isCancelled) { entry, reader throws(ArchiveError) in
            let name = try name(of: entry)
            guard !name.isEmpty, try Whiteout(name) == nil, isPacked(entry) else { return }
            try makeRoom(for: entry, at: name, in: base)
            archive_entry_set_pathname(entry, "\(base)/\(name)")
            if archive_entry_hardlink(entry) != nil {
                let target = try contained(String(cString: archive_entry_hardlink(entry)))
                archive_entry_set_hardlink(entry, "\(base)/\(target)")
            }
            // Names of users would count for more than their numbers.
            archive_entry_set_uname(entry, nil)
            archive_entry_set_gname(entry, nil)
            try check(archive_write_header(disk, entry), disk)
            if archive_entry_size(entry) > 0 { try copyBlocks(from: reader, to: disk, isCancelled) }
            try check(archive_write_finish_entry(disk), disk)
        }
        try check(archive_write_close(disk), disk)
    }

    private static func forEachEntry(
        of file: String, _ isCancelled: () -> Bool,
        _ body: (_ entry: OpaquePointer, _ reader: OpaquePointer) throws(ArchiveError) -> Void
    ) throws(ArchiveError) {
        guard let reader = archive_read_new() else { throw ArchiveError("no memory") }
        defer { archive_read_free(reader) }
        archive_read_support_format_tar(reader)
        try check(archive_read_support_filter_gzip(reader), reader)
        try check(archive_read_support_filter_zstd(reader), reader)
        try check(archive_read_open_filename(reader, file, 64 << 10), reader)
        var entry: OpaquePointer?
        while true {
            let result = archive_read_next_header(reader, &entry)
            if result == ARCHIVE_EOF { return }
            try check(result, reader)
            if isCancelled() { throw .interrupted }
            if let entry { try body(entry, reader) }
        }
    }

    /// Where an entry is, relative to the root.
    private static func name(of entry: OpaquePointer) throws(ArchiveError) -> String {
        guard let path = archive_entry_pathname(entry), let text = String(validatingCString: path) else {
            throw ArchiveError("the name of an entry is no text")
        }
        return try contained(text)
    }

    /// The path without what means nothing in it.
    private static func contained(_ path: String) throws(ArchiveError) -> String {
        let parts = path.split(separator: "/").filter { $0 != "." }
        guard !path.hasPrefix("/"), !parts.contains("..") else {
            throw ArchiveError("the entry \(path) would land outside of the directory")
        }
        return parts.joined(separator: "/")
    }

    /// Removes a directory where something else is to be, and something else where a directory is to be.
    private static func makeRoom(
        for entry: OpaquePointer, at name: String, in base: String
    ) throws(ArchiveError) {
        guard let kind = FileKind(of: "\(base)/\(name)") else { return }
        let isDirectory = mode_t(archive_entry_filetype(entry)) == Glibc.S_IFDIR && archive_entry_hardlink(entry) == nil
        if (kind == .directory) == isDirectory { return }
        try Whiteout.remove(name, in: base)
    }

    /// That something of the layers below is gone.
    private struct Whiteout: Equatable {
        /// Of the directory, relative to the root.
        var directory: String
        /// Nil for everything in it.
        var name: String?

        private static let prefix = ".wh."
        private static let opaque = ".wh..wh..opq"

        /// Nil for an entry that is no mark.
        init?(_ path: String) throws(ArchiveError) {
            var parts = path.split(separator: "/")
            guard let last = parts.popLast(), last.hasPrefix(Self.prefix) else { return nil }
            directory = parts.joined(separator: "/")
            if last == Self.opaque { return }
            let name = String(last.dropFirst(Self.prefix.count))
            guard !["", ".", ".."].contains(name) else { throw ArchiveError("the mark \(path) has no name") }
            self.name = name
        }

        func apply(to base: String) throws(ArchiveError) {
            if let name { return try Self.remove(directory.isEmpty ? name : "\(directory)/\(name)", in: base) }
            guard try Self.isReached(directory, in: base) else { return }
            let path = directory.isEmpty ? base : "\(base)/\(directory)"
            let names: [String]
            do { names = try FileManager.default.contentsOfDirectory(atPath: path) } catch {
                throw ArchiveError("cannot read \(path): \(error.localizedDescription)")
            }
            for name in names { try Self.remove(directory.isEmpty ? name : "\(directory)/\(name)", in: base) }
        }

        static func remove(_ name: String, in base: String) throws(ArchiveError) {
            let parent = name.split(separator: "/").dropLast().joined(separator: "/")
            guard try isReached(parent, in: base), FileKind(of: "\(base)/\(name)") != nil else { return }
            do { try FileManager.default.removeItem(atPath: "\(base)/\(name)") } catch {
                throw ArchiveError("cannot remove \(name): \(error.localizedDescription)")
            }
        }

        /// Whether the directory is there.
        /// - Throws: when the way there leads through a link, which could lead anywhere.
        private static func isReached(_ directory: String, in base: String) throws(ArchiveError) -> Bool {
            var path = base
            for part in directory.split(separator: "/") {
                path += "/\(part)"
                switch FileKind(of: path) {
                case .directory: continue
                case .link: throw ArchiveError("\(directory) leads through a link")
                case .other: return false
                case nil: return false
                }
            }
            return true
        }
    }

    /// What lies at a path itself, whatever a link leads to.
    private enum FileKind {
        case directory, link, other

        init?(of path: String) {
            var status = stat()
            guard lstat(path, &status) == 0 else { return nil }
            switch status.st_mode & Glibc.S_IFMT {
            case Glibc.S_IFDIR: self = .directory
            case Glibc.S_IFLNK: self = .link
            default: self = .other
            }
        }
    }
}
