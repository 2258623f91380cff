internal import Foundation
internal import GRPC
internal import Glibc
internal import SubstrateModel

/// A snapshot that is being written, under a temporary name, until it is complete. All functions block.
struct SnapshotDraft: Sendable {
    let snapshot: SnapshotURI
    /// Where its files go.
    let path: String
    private let target: String
    private let actorUID: String

    /// Begins anew, whatever an earlier writer has left.
    /// - Throws: `RuntimeFailure`, also when there is a snapshot of this name.
    init(
        _ snapshot: SnapshotURI, in directory: SnapshotDirectory, actorUID: String
    ) throws(RuntimeFailure) {
        self.snapshot = snapshot
        self.actorUID = actorUID
        target = try directory.path(of: snapshot)
        path = SnapshotDirectory.partial(of: target)
        // Found out before anything is stopped for it.
        guard !FileManager.default.fileExists(atPath: target) else {
            throw RuntimeFailure(
                .failedPrecondition, "cannot write the snapshot \(snapshot): there is one of this name")
        }
        do {
            try? FileManager.default.removeItem(atPath: path)
            try DurableDirectory.create(path)
        } catch { throw failure(error) }
    }

    /// Packs the durable directory.
    func pack(_ directory: String, isCancelled: () -> Bool) throws(RuntimeFailure) {
        do {
            _ = try Archive.pack(
                directory, into: "\(path)/\(SnapshotDirectory.archiveName)", isCancelled: isCancelled)
        } catch { throw failure(error) }
    }

    /// The file system that it is written to.
    /// - Throws: `RuntimeFailure`.
    func fileSystem() throws(RuntimeFailure) -> UInt64 {
        var status = stat()
        guard stat(path, &status) == 0 else { throw failure(FileError("look at", path)) }
        return UInt64(status.st_dev)
    }

    /// Whether so many bytes can be written now, beside what has been: takes them, and gives them back.
    func reserve(_ bytes: Int) throws(RuntimeFailure) {
        let file = "\(path)/reserve"
        defer { unlink(file) }
        let descriptor = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(FileError("make", file)) }
        defer { close(descriptor) }
        let error = posix_fallocate(descriptor, 0, off_t(bytes))
        // Some file systems over a network cannot tell.
        guard error == 0 || error == EOPNOTSUPP || error == EINVAL else {
            errno = error
            throw failure(FileError("reserve \(bytes) bytes in", file))
        }
    }

    /// Completes it.
    /// - Parameter memory: as in `complete`.
    func commit(memory: SnapshotManifest.Memory? = nil) throws(RuntimeFailure) {
        try complete(memory: memory)
        try settle()
    }

    /// Gives it its name, with everything in it: checksums, the manifest last, all of it synced. Can be tried again.
    /// - Parameter memory: what there is to say of one that was saved, without its files; nil for data alone.
    func complete(memory: SnapshotManifest.Memory? = nil) throws(RuntimeFailure) {
        do {
            let archive = try FileDigest(of: "\(path)/\(SnapshotDirectory.archiveName)")
            var names = [SnapshotDirectory.archiveName]
            var saved: SnapshotManifest.Memory?
            if var memory {
                for name in SnapshotManifest.memoryNames
                where FileManager.default.fileExists(atPath: "\(path)/\(name)") {
                    memory.files[name] = try FileDigest(of: "\(path)/\(name)")
                }
                saved = memory
                names += memory.files.keys
            }
            let manifest = SnapshotManifest(actorUID: actorUID, archive: archive, memory: saved)
            for name in names { try DurableDirectory.sync("\(path)/\(name)") }
            try Data(manifest.text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(SnapshotDirectory.manifestName)"))
            try DurableDirectory.sync("\(path)/\(SnapshotDirectory.manifestName)")
            try DurableDirectory.sync(path)
            guard rename(path, target) == 0 else { throw FileError("rename", target) }
        } catch { throw failure(error) }
    }

    /// Has the name outlast a power failure, after `complete`. Can be tried again.
    func settle() throws(RuntimeFailure) {
        do { try DurableDirectory.sync((target as NSString).deletingLastPathComponent) } catch { throw failure(error) }
    }

    /// Removes what has been written.
    func abandon() { try? FileManager.default.removeItem(atPath: path) }

    /// Puts what has been written where nothing of ours removes it, for people.
    /// - Returns: where it is.
    func keep() -> String {
        let kept = SnapshotDirectory.kept(of: target)
        return rename(path, kept) == 0 ? kept : path
    }

    private func failure(_ error: any Error) -> RuntimeFailure {
        RuntimeFailure(.internal, "cannot write the snapshot \(snapshot): \(error)")
    }
}
