internal import Foundation
internal import GRPC
internal import Glibc
package import SubstrateModel

/// Snapshots in a directory that all nodes share, and in the node's own for local ones.
///
/// ```
/// <location>/<actor uid>/<nonce>/durable.tar.zst
/// <location>/<actor uid>/<nonce>/checkpoint.img    the memory, where it was saved
/// <location>/<actor uid>/<nonce>/manifest.json     written last
/// ```
/// A snapshot is written under a temporary name, synced, and renamed: under its own name it is complete. All functions
/// block.
package struct SnapshotDirectory: Sendable {
    /// Every snapshot has to lie below this, or be a local one.
    package let root: String
    /// The node's own snapshots.
    package var local: LocalSnapshots?

    /// - Parameter root: an absolute path.
    package init(root: String, local: LocalSnapshots? = nil) {
        self.root = root
        self.local = local
    }

    static let archiveName = "durable.tar.zst"
    static let manifestName = "manifest.json"

    /// Packs a directory into a new snapshot, unless `isCancelled` comes to say yes.
    func write(
        _ directory: String, to snapshot: SnapshotURI, actorUID: String, isCancelled: () -> Bool = { false }
    ) throws(RuntimeFailure) {
        let draft = try SnapshotDraft(snapshot, in: self, actorUID: actorUID)
        do throws(RuntimeFailure) {
            try draft.pack(directory, isCancelled: isCancelled)
            try draft.commit()
        } catch {
            draft.abandon()
            throw error
        }
    }

    /// Unpacks the durable directory of a snapshot into an empty one, unless `isCancelled` comes to say yes. Every file of the
    /// snapshot has been found to be what was written, when this returns.
    @discardableResult
    func read(
        _ snapshot: SnapshotURI, into directory: String, owner: Archive.Owner = .us, isCancelled: () -> Bool = { false }
    ) throws(RuntimeFailure) -> SnapshotManifest {
        let path = try path(of: snapshot)
        guard let data = FileManager.default.contents(atPath: "\(path)/\(Self.manifestName)") else {
            throw RuntimeFailure(
                .failedPrecondition, "the snapshot \(snapshot) is missing or incomplete\(remedy(snapshot))")
        }
        let archive = "\(path)/\(Self.archiveName)"
        let manifest = SnapshotManifest(data)
        guard let manifest, try isIntact(archive, manifest.archive, isCancelled) else {
            throw damaged(snapshot, "archive")
        }
        for (name, digest) in manifest.memory?.files ?? [:] {
            guard try isIntact("\(path)/\(name)", digest, isCancelled) else { throw damaged(snapshot, "memory") }
        }
        do {
            try Archive.unpack(archive, into: directory, owner: owner, isCancelled: isCancelled)
        } catch {
            if isCancelled() { throw RuntimeFailure(.cancelled, "unpacking the snapshot \(snapshot) was interrupted") }
            // A full disk looks the same.
            throw RuntimeFailure(
                .dataLoss, "the snapshot \(snapshot) cannot be unpacked: \(error)\(remedy(snapshot))",
                mayLieInWorker: true)
        }
        return manifest
    }

    /// How large a complete snapshot is, by what it says itself; nil when it cannot be read.
    package func bytes(of snapshot: SnapshotURI) -> Int? {
        guard let path = try? path(of: snapshot),
            let data = FileManager.default.contents(atPath: "\(path)/\(Self.manifestName)"),
            let manifest = SnapshotManifest(data)
        else { return nil }
        return manifest.archive.bytes + (manifest.memory?.files.values.reduce(0) { $0 + $1.bytes } ?? 0)
    }

    private func damaged(_ snapshot: SnapshotURI, _ part: String) -> RuntimeFailure {
        RuntimeFailure(
            .dataLoss,
            "the snapshot \(snapshot) is damaged: its \(part) is not as the manifest says\(remedy(snapshot))")
    }

    private func isIntact(
        _ file: String, _ expected: FileDigest, _ isCancelled: () -> Bool
    ) throws(RuntimeFailure) -> Bool {
        let size = (try? FileManager.default.attributesOfItem(atPath: file))?[.size] as? Int
        guard size == expected.bytes else { return false }
        // Written before there were checksums; the archive has those of its compression.
        if expected.hash.isEmpty { return true }
        do throws(FileError) { return try FileDigest(of: file, isCancelled: isCancelled) == expected } catch {
            if isCancelled() { throw RuntimeFailure(.cancelled, "reading \(file) was interrupted") }
            throw RuntimeFailure(.unavailable, "cannot read \(file): \(error)")
        }
    }

    /// What an operator can do about a local snapshot that cannot be read; an external one may be readable elsewhere.
    private func remedy(_ snapshot: SnapshotURI) -> String {
        guard local?.holds(snapshot) == true else { return "" }
        return ". When its directory is removed, the actor starts from its last external snapshot"
    }

    /// The temporary name of a snapshot that is being written, or removed.
    static func partial(of path: String) -> String {
        let parent = (path as NSString).deletingLastPathComponent
        return "\(parent)/.\((path as NSString).lastPathComponent).partial"
    }

    /// The name of one that could not be completed, and is the only one of its actor's memory.
    static func kept(of path: String) -> String {
        let parent = (path as NSString).deletingLastPathComponent
        return "\(parent)/.\((path as NSString).lastPathComponent).kept"
    }

    func path(of snapshot: SnapshotURI) throws(RuntimeFailure) -> String {
        guard let path = snapshot.filePath else {
            throw RuntimeFailure(
                .invalidArgument, "the snapshot \(snapshot) is not file:// and an absolute path without '..'")
        }
        if local?.holds(snapshot) == true { return path }
        guard path.hasPrefix(root.hasSuffix("/") ? root : root + "/") else {
            throw RuntimeFailure(
                .failedPrecondition,
                "the snapshot \(snapshot) does not lie below \(root), where this node keeps snapshots (--snapshot-dir)")
        }
        return path
    }
}
