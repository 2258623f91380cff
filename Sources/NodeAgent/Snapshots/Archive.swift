internal import CArchive
internal import Glibc

/// Directories as compressed tar archives, by libarchive. All functions block.
///
/// Names of files are bytes, whatever they mean to whom, and stay the bytes they are.
enum Archive {
    /// Packs everything in `directory`: files, directories and links. Sockets, pipes and devices are left out.
    /// - Parameter isCancelled: asked again and again; the work ends with an error once it says yes.
    /// - Returns: the size of the archive in bytes.
    static func pack(
        _ directory: String, into file: String, isCancelled: () -> Bool = { false }
    ) throws(ArchiveError) -> Int {
        guard let disk = archive_read_disk_new(), let writer = archive_write_new() else {
            throw ArchiveError("no memory")
        }
        defer {
            archive_read_free(disk)
            archive_write_free(writer)
        }
        archive_write_set_format_pax_restricted(writer)
        try check(archive_write_set_format_option(writer, nil, "hdrcharset", "BINARY"), writer)
        try check(archive_write_add_filter_zstd(writer), writer)
        try check(archive_write_open_filename(writer, file), writer)
        archive_read_disk_set_symlink_physical(disk)
        try check(archive_read_disk_open(disk, directory), disk)
        guard let entry = archive_entry_new() else { throw ArchiveError("no memory") }
        defer { archive_entry_free(entry) }
        while true {
            archive_entry_clear(entry)
            let result = archive_read_next_header2(disk, entry)
            if result == ARCHIVE_EOF { break }
            try check(result, disk)
            if isCancelled() { throw .interrupted }
            if archive_read_disk_can_descend(disk) != 0 { try check(archive_read_disk_descend(disk), disk) }
            guard isPacked(entry) else { continue }
            let path = try bytes(archive_entry_pathname(entry))
            // The entry of the directory itself is not part of its content.
            let name = path.dropFirst(directory.utf8.count).drop { $0 == slash }
            if name.isEmpty { continue }
            archive_entry_set_pathname(entry, terminated(name))
            try check(archive_write_header(writer, entry), writer)
            if archive_entry_size(entry) > 0 {
                try copy(from: disk, to: writer, isCancelled) { archive_write_data(writer, $0, $1) }
            }
        }
        try check(archive_write_close(writer), writer)
        return Int(archive_filter_bytes(writer, -1))
    }

    /// The user and group of what is unpacked.
    enum Owner: Equatable {
        case us
        /// Those of the same number that it had when it was packed; needs root.
        case packed
        case user(UInt32)
    }

    /// Unpacks into an existing directory. An entry that would land outside of it, or through a link in it, is an error.
    /// - Parameters:
    ///   - owner: to whom everything is to belong.
    ///   - isCancelled: as for `pack`.
    static func unpack(
        _ file: String, into directory: String, owner: Owner = .us, isCancelled: () -> Bool = { false }
    ) throws(ArchiveError) {
        guard let base = realpath(directory, nil) else { throw ArchiveError("\(directory) is not there") }
        defer { free(base) }
        guard let reader = archive_read_new(), let disk = archive_write_disk_new() else {
            throw ArchiveError("no memory")
        }
        defer {
            archive_read_free(reader)
            archive_write_free(disk)
        }
        archive_read_support_format_tar(reader)
        try check(archive_read_support_filter_zstd(reader), reader)
        archive_write_disk_set_options(
            disk,
            (owner == .us ? 0 : ARCHIVE_EXTRACT_OWNER) | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME
                | ARCHIVE_EXTRACT_SECURE_SYMLINKS
                | ARCHIVE_EXTRACT_SECURE_NODOTDOT)
        try check(archive_read_open_filename(reader, file, 64 << 10), reader)
        var entry: OpaquePointer?
        while true {
            let result = archive_read_next_header(reader, &entry)
            if result == ARCHIVE_EOF { break }
            try check(result, reader)
            if isCancelled() { throw .interrupted }
            guard let entry else { break }
            guard isPacked(entry) else { throw ArchiveError("an entry is neither file, directory nor link") }
            if case .user(let id) = owner {
                archive_entry_set_uid(entry, Int64(id))
                archive_entry_set_gid(entry, Int64(id))
            }
            // A name would count for more.
            archive_entry_set_uname(entry, nil)
            archive_entry_set_gname(entry, nil)
            let name = try contained(archive_entry_pathname(entry))
            archive_entry_set_pathname(entry, terminated(try bytes(base) + [slash] + name))
            if archive_entry_hardlink(entry) != nil {
                let target = try contained(archive_entry_hardlink(entry))
                archive_entry_set_hardlink(entry, terminated(try bytes(base) + [slash] + target))
            }
            try check(archive_write_header(disk, entry), disk)
            if archive_entry_size(entry) > 0 { try copyBlocks(from: reader, to: disk, isCancelled) }
            try check(archive_write_finish_entry(disk), disk)
        }
        try check(archive_write_close(disk), disk)
    }

    private static let slash = CChar(bitPattern: UInt8(ascii: "/"))

    /// A relative path that does not go up.
    private static func contained(_ path: UnsafePointer<CChar>?) throws(ArchiveError) -> [CChar] {
        let name = try bytes(path)
        let up = [CChar](repeating: CChar(bitPattern: UInt8(ascii: ".")), count: 2)
        if name.first == slash || name.split(separator: slash).contains(where: { $0.elementsEqual(up) }) {
            let text = String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw ArchiveError("the entry \(text) would land outside of the directory")
        }
        return name
    }

    /// The bytes of a C string, without the zero at its end.
    private static func bytes(_ text: UnsafePointer<CChar>?) throws(ArchiveError) -> [CChar] {
        guard let text else { throw ArchiveError("an entry has no name") }
        return Array(UnsafeBufferPointer(start: text, count: strlen(text)))
    }

    private static func terminated(_ bytes: some Sequence<CChar>) -> [CChar] { Array(bytes) + [0] }

    static func isPacked(_ entry: OpaquePointer) -> Bool {
        if archive_entry_hardlink(entry) != nil { return true }
        let kind = mode_t(archive_entry_filetype(entry))
        return kind == Glibc.S_IFREG || kind == Glibc.S_IFDIR || kind == Glibc.S_IFLNK
    }

    private static func copy(
        from source: OpaquePointer, to target: OpaquePointer, _ isCancelled: () -> Bool,
        write: (UnsafeRawPointer?, Int) -> Int
    ) throws(ArchiveError) {
        var written: Int64 = 0
        var block: UnsafeRawPointer?
        var size = 0
        var offset: Int64 = 0
        while true {
            let result = archive_read_data_block(source, &block, &size, &offset)
            if result == ARCHIVE_EOF { return }
            try check(result, source)
            if isCancelled() { throw .interrupted }
            // Holes of a sparse file come as jumps; the archive wants every byte.
            try writeZeros(offset - written, to: target, isCancelled, write: write)
            guard write(block, size) == size else { throw ArchiveError(target) }
            written = offset + Int64(size)
        }
    }

    private static func writeZeros(
        _ count: Int64, to target: OpaquePointer, _ isCancelled: () -> Bool,
        write: (UnsafeRawPointer?, Int) -> Int
    ) throws(ArchiveError) {
        let zeros = [UInt8](repeating: 0, count: 64 << 10)
        var left = count
        while left > 0 {
            // A hole can be as large as a file can be.
            if isCancelled() { throw .interrupted }
            let size = Int(min(left, Int64(zeros.count)))
            guard zeros.withUnsafeBytes({ write($0.baseAddress, size) }) == size else { throw ArchiveError(target) }
            left -= Int64(size)
        }
    }

    static func copyBlocks(
        from source: OpaquePointer, to disk: OpaquePointer, _ isCancelled: () -> Bool
    ) throws(ArchiveError) {
        var block: UnsafeRawPointer?
        var size = 0
        var offset: Int64 = 0
        while true {
            let result = archive_read_data_block(source, &block, &size, &offset)
            if result == ARCHIVE_EOF { return }
            try check(result, source)
            if isCancelled() { throw .interrupted }
            guard archive_write_data_block(disk, block, size, offset) >= ARCHIVE_WARN else { throw ArchiveError(disk) }
        }
    }

    static func check(_ result: Int32, _ archive: OpaquePointer) throws(ArchiveError) {
        // Warnings are about attributes that could not be kept.
        if result < ARCHIVE_WARN { throw ArchiveError(archive) }
    }
}

/// What libarchive says went wrong.
struct ArchiveError: Error, CustomStringConvertible {
    let description: String

    /// Whoever wanted it does not want it any more.
    static let interrupted = ArchiveError("it was interrupted")

    init(_ description: String) { self.description = description }

    init(_ archive: OpaquePointer) {
        description = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
    }
}
