internal import Glibc

/// Removes what actors have made, whatever they have made of it: deeper than a path can be, or without rights for its owner.
enum FileTree {
    /// Removes a file, or a directory with all that is below it. What is not there is removed already. Blocks.
    ///
    /// Directories within directories are moved to the top before they are emptied, so two are open at a time however deep they lie.
    /// - Throws: `FileError` for the first thing that could not be removed, after all others have been.
    static func remove(_ path: String) throws(FileError) {
        if unlink(path) == 0 || errno == ENOENT { return }
        chmod(path, 0o700)
        let top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard top >= 0 else { throw FileError("open", path) }
        defer { close(top) }
        var moved = 0
        var failure: FileError?
        while true {
            let names = names(in: top)
            var directories = 0
            for name in names {
                if unlinkat(top, name, 0) == 0 { continue }
                guard isDirectory(top, name) else {
                    failure = failure ?? FileError("remove", "\(path)/\(name)")
                    continue
                }
                if empty(name, in: top, &moved), unlinkat(top, name, AT_REMOVEDIR) == 0 {
                    directories += 1
                } else {
                    failure = failure ?? FileError("remove", "\(path)/\(name)")
                }
            }
            // Moved up meanwhile, or in the way of nothing more that can be done.
            if directories == 0 { break }
        }
        guard rmdir(path) == 0 else { throw failure ?? FileError("remove", path) }
    }

    /// Removes the files of a directory, and moves its directories to the one that it lies in.
    private static func empty(_ name: String, in top: Int32, _ moved: inout Int) -> Bool {
        fchmodat(top, name, 0o700, 0)
        let directory = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard directory >= 0 else { return false }
        defer { close(directory) }
        var isEmpty = true
        for child in names(in: directory) where unlinkat(directory, child, 0) != 0 {
            guard isDirectory(directory, child), move(child, from: directory, to: top, &moved) else {
                isEmpty = false
                continue
            }
        }
        return isEmpty
    }

    private static func move(_ name: String, from directory: Int32, to top: Int32, _ moved: inout Int) -> Bool {
        // A directory that may not be written cannot be moved either.
        fchmodat(directory, name, 0o700, 0)
        while true {
            moved += 1
            // An empty directory of that name would be replaced, which does no harm.
            if renameat(directory, name, top, ".moved-\(moved)") == 0 { return true }
            guard errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR else { return false }
        }
    }

    /// Whether there is something, or it cannot be said that there is nothing.
    static func isThere(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR)
    }

    private static func isDirectory(_ directory: Int32, _ name: String) -> Bool {
        var status = stat()
        return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func names(in directory: Int32) -> [String] {
        // The stream closes its descriptor, and has a place in the directory of its own.
        let copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0, let stream = fdopendir(copy) else {
            if copy >= 0 { close(copy) }
            return []
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
