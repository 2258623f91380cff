internal import Foundation
internal import GRPC
internal import Glibc
internal import SubstrateModel

extension SnapshotDirectory {
    /// Removes a snapshot, and what a writer that was killed has left of it. One that is not there is success, so that it can
    /// be asked for again. When it returns, nothing of the snapshot comes back with a power failure.
    ///
    /// Whoever calls is believed that nobody needs the snapshot, but not that it is one: only a directory is touched that
    /// holds the files of a snapshot and nothing else, with a manifest that is of the actor in its path. A snapshot that
    /// is damaged, or in which somebody has put something, is left to people.
    func remove(_ snapshot: SnapshotURI) throws(RuntimeFailure) {
        guard let path = try directory(of: snapshot) else { return }
        let parent = (path as NSString).deletingLastPathComponent
        let partial = Self.partial(of: path)
        do {
            if try Self.isDirectory(path) {
                try check(path, actorUID: (parent as NSString).lastPathComponent)
                try Self.removeFiles(in: partial)
                // From here on it is an unfinished one, also when this is interrupted.
                guard rename(path, partial) == 0 else { throw FileError("rename", path) }
            }
            try Self.removeFiles(in: partial)
            try DurableDirectory.sync(parent)
            // The actor's last one. When one is being written at this very moment, that fails and the actor goes on.
            rmdir(parent)
        } catch let error as RuntimeFailure {
            throw error
        } catch {
            throw RuntimeFailure(.internal, "cannot remove the snapshot \(snapshot): \(error)")
        }
    }

    /// The path of a snapshot that may be removed, without links in it; nil when its actor has no directory there.
    private func directory(of snapshot: SnapshotURI) throws(RuntimeFailure) -> String? {
        let path = try path(of: snapshot)
        if local?.holds(snapshot) == true {
            throw RuntimeFailure(
                .failedPrecondition, "\(snapshot) is a local snapshot, which this node removes by itself")
        }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).suffix(2).map(String.init)
        guard parts.count == 2, parts.allSatisfy(NameRule.allows) else {
            throw RuntimeFailure(
                .invalidArgument, "\(snapshot) does not end in an actor's uid and a nonce with a slash between them")
        }
        let parent = (path as NSString).deletingLastPathComponent
        guard let resolved = Self.resolved(parent) else {
            // Without the root it is the file server that is missing.
            if errno == ENOENT, Self.resolved(root) != nil { return nil }
            throw RuntimeFailure(.unavailable, "cannot look into \(parent): \(String(cString: strerror(errno)))")
        }
        guard let base = Self.resolved(root), resolved.hasPrefix(base == "/" ? base : base + "/"),
            resolved.hasSuffix("/\(parts[0])")
        else {
            throw RuntimeFailure(
                .failedPrecondition, "\(snapshot) leads through a link out of \(root), where this node keeps snapshots")
        }
        return "\(resolved)/\(parts[1])"
    }

    private static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Makes sure that this is a whole snapshot of the actor.
    private func check(_ path: String, actorUID: String) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        let manifest = FileManager.default.contents(atPath: "\(path)/\(Self.manifestName)")
        let members = manifest.flatMap { try? JSONSerialization.jsonObject(with: $0) } as? [String: Any]
        let own = Set(names).subtracting(SnapshotManifest.memoryNames)
        guard own == [Self.archiveName, Self.manifestName], members?["actorUid"] as? String == actorUID else {
            throw RuntimeFailure(
                .failedPrecondition,
                "\(path) is not a snapshot as agents write them; look what it is, and remove it by hand")
        }
    }

    /// Removes the files of a snapshot and the directory that they are in, if there is one, and nothing else.
    private static func removeFiles(in directory: String) throws(FileError) {
        guard try isDirectory(directory) else { return }
        for name in [archiveName, manifestName, "reserve"] + SnapshotManifest.memoryNames
        where unlink("\(directory)/\(name)") != 0 && errno != ENOENT {
            throw FileError("remove", "\(directory)/\(name)")
        }
        guard rmdir(directory) == 0 else { throw FileError("remove", directory) }
    }

    /// Whether there is a directory under the name.
    /// - Throws: `FileError` when it is something else, such as a link to one.
    private static func isDirectory(_ path: String) throws(FileError) -> Bool {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT { return false }
            throw FileError("look at", path)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw FileError("\(path) is not a directory") }
        return true
    }
}
