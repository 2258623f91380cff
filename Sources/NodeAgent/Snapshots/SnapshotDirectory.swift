internal import Foundation
internal import GRPC
internal import Glibc
internal import ServiceKit
internal import SubstrateModel

/// Snapshots in a directory that all nodes share, and in the node's own for local ones.
///
/// ```
/// <location>/<actor uid>/<nonce>/durable.tar.zst
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
        let path = try path(of: snapshot)
        let parent = (path as NSString).deletingLastPathComponent
        let temporary = Self.partial(of: path)
        do {
            try? FileManager.default.removeItem(atPath: temporary)
            try DurableDirectory.create(temporary)
            let bytes = try Archive.pack(
                directory, into: "\(temporary)/\(Self.archiveName)", isCancelled: isCancelled)
            let manifest = JSON.object([
                ("format", 1), ("content", .string(SnapshotContent.data.rawValue)), ("actorUid", .string(actorUID)),
                ("archive", .string(Self.archiveName)), ("archiveBytes", .integer(Int64(bytes))),
            ])
            try Data(manifest.text(indentation: 2).utf8).write(
                to: URL(fileURLWithPath: "\(temporary)/\(Self.manifestName)"))
            for name in [Self.archiveName, Self.manifestName] { try DurableDirectory.sync("\(temporary)/\(name)") }
            try DurableDirectory.sync(temporary)
            guard rename(temporary, path) == 0 else { throw FileError("rename", path) }
            try DurableDirectory.sync(parent)
        } catch {
            try? FileManager.default.removeItem(atPath: temporary)
            throw RuntimeFailure(.internal, "cannot write the snapshot \(snapshot): \(error)")
        }
    }

    /// Unpacks a snapshot into an empty directory, unless `isCancelled` comes to say yes.
    func read(
        _ snapshot: SnapshotURI, into directory: String, isCancelled: () -> Bool = { false }
    ) throws(RuntimeFailure) {
        let path = try path(of: snapshot)
        guard let manifest = FileManager.default.contents(atPath: "\(path)/\(Self.manifestName)") else {
            throw RuntimeFailure(
                .failedPrecondition, "the snapshot \(snapshot) is missing or incomplete\(remedy(snapshot))")
        }
        let archive = "\(path)/\(Self.archiveName)"
        let members = (try? JSONSerialization.jsonObject(with: manifest)) as? [String: Any]
        let attributes = try? FileManager.default.attributesOfItem(atPath: archive)
        guard let expected = members?["archiveBytes"] as? Int, let actual = attributes?[.size] as? Int,
            expected == actual
        else {
            throw RuntimeFailure(
                .dataLoss,
                "the snapshot \(snapshot) is damaged: its archive is not as the manifest says\(remedy(snapshot))")
        }
        do {
            try Archive.unpack(archive, into: directory, isCancelled: isCancelled)
        } catch {
            if isCancelled() { throw RuntimeFailure(.cancelled, "unpacking the snapshot \(snapshot) was interrupted") }
            // A full disk looks the same.
            throw RuntimeFailure(
                .dataLoss, "the snapshot \(snapshot) cannot be unpacked: \(error)\(remedy(snapshot))",
                mayLieInWorker: true)
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
