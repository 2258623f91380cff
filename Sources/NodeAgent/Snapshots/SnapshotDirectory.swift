internal import Foundation
internal import GRPC
internal import Glibc
internal import ServiceKit
internal import SubstrateModel

/// Snapshots in a directory that all nodes share.
///
/// ```
/// <location>/<actor uid>/<nonce>/durable.tar.zst
/// <location>/<actor uid>/<nonce>/manifest.json     written last
/// ```
/// A snapshot is written under a temporary name, synced, and renamed: under its own name it is complete. All functions
/// block.
package struct SnapshotDirectory: Sendable {
    /// Every snapshot has to lie below this.
    package let root: String

    /// - Parameter root: an absolute path.
    package init(root: String) { self.root = root }

    private static let archiveName = "durable.tar.zst"
    private static let manifestName = "manifest.json"

    /// Packs a directory into a new snapshot.
    func write(_ directory: String, to snapshot: SnapshotURI, actorUID: String) throws(RuntimeFailure) {
        let path = try path(of: snapshot)
        let parent = (path as NSString).deletingLastPathComponent
        let temporary = "\(parent)/.\((path as NSString).lastPathComponent).partial"
        do {
            try? FileManager.default.removeItem(atPath: temporary)
            let created = missingAncestors(of: temporary)
            try FileManager.default.createDirectory(
                atPath: temporary, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            // A new directory is on the disk only once the one that it lies in has been synced.
            for path in created { try sync((path as NSString).deletingLastPathComponent) }
            let bytes = try Archive.pack(directory, into: "\(temporary)/\(Self.archiveName)")
            let manifest = JSON.object([
                ("format", 1), ("content", .string(SnapshotContent.data.rawValue)), ("actorUid", .string(actorUID)),
                ("archive", .string(Self.archiveName)), ("archiveBytes", .integer(Int64(bytes))),
            ])
            try Data(manifest.text(indentation: 2).utf8).write(
                to: URL(fileURLWithPath: "\(temporary)/\(Self.manifestName)"))
            for name in [Self.archiveName, Self.manifestName] { try sync("\(temporary)/\(name)") }
            try sync(temporary)
            guard rename(temporary, path) == 0 else { throw FileError("rename", path) }
            try sync(parent)
        } catch {
            try? FileManager.default.removeItem(atPath: temporary)
            throw RuntimeFailure(.internal, "cannot write the snapshot \(snapshot): \(error)")
        }
    }

    /// Unpacks a snapshot into an empty directory.
    func read(_ snapshot: SnapshotURI, into directory: String) throws(RuntimeFailure) {
        let path = try path(of: snapshot)
        guard let manifest = FileManager.default.contents(atPath: "\(path)/\(Self.manifestName)") else {
            throw RuntimeFailure(.failedPrecondition, "the snapshot \(snapshot) is missing or incomplete")
        }
        let archive = "\(path)/\(Self.archiveName)"
        let members = (try? JSONSerialization.jsonObject(with: manifest)) as? [String: Any]
        let attributes = try? FileManager.default.attributesOfItem(atPath: archive)
        guard let expected = members?["archiveBytes"] as? Int, let actual = attributes?[.size] as? Int,
            expected == actual
        else {
            throw RuntimeFailure(
                .dataLoss, "the snapshot \(snapshot) is damaged: its archive is not as the manifest says")
        }
        do {
            try Archive.unpack(archive, into: directory)
        } catch {
            throw RuntimeFailure(.dataLoss, "the snapshot \(snapshot) cannot be unpacked: \(error)")
        }
    }

    private func path(of snapshot: SnapshotURI) throws(RuntimeFailure) -> String {
        guard let path = snapshot.filePath else {
            throw RuntimeFailure(
                .invalidArgument, "the snapshot \(snapshot) is not file:// and an absolute path without '..'")
        }
        guard path.hasPrefix(root.hasSuffix("/") ? root : root + "/") else {
            throw RuntimeFailure(
                .failedPrecondition,
                "the snapshot \(snapshot) does not lie below \(root), where this node keeps snapshots (--snapshot-dir)")
        }
        return path
    }

    /// The directories above `path` that do not exist, the lowest first.
    private func missingAncestors(of path: String) -> [String] {
        var missing: [String] = []
        var parent = (path as NSString).deletingLastPathComponent
        while !parent.isEmpty, !FileManager.default.fileExists(atPath: parent) {
            missing.append(parent)
            parent = (parent as NSString).deletingLastPathComponent
        }
        return missing
    }

    private func sync(_ path: String) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileError("sync", path) }
    }
}

/// A system call on a file that failed.
struct FileError: Error, CustomStringConvertible {
    let description: String

    /// With the error of the last call.
    init(_ action: String, _ path: String) { description = "\(action) \(path): \(String(cString: strerror(errno)))" }
}
