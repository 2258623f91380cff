internal import Foundation
internal import ServiceKit
internal import SubstrateModel

/// What a snapshot says of itself, in the file that is written last.
struct SnapshotManifest {
    /// A saved memory, which only the same kind of sandbox can go on with.
    struct Memory: Equatable {
        /// What saved it.
        var runtime: String
        /// Of what saved it; nil in manifests from before it was noted, as for `root`.
        var version: String?
        /// What the actor had as its root: the parts of its files that it had not written to are not in its memory.
        var root: String?
        /// Its files, in the snapshot's directory.
        var files: [String: FileDigest] = [:]
        /// Where the actor listens, which is in its memory.
        var port: Int
    }

    /// The files that a memory can have. Those of the runsc of Debian 12, and of newer ones.
    static let memoryNames: Set<String> = ["checkpoint.img", "pages.img", "pages_meta.img"]

    var actorUID: String
    var archive: FileDigest
    var memory: Memory?

    var text: String {
        var members: [(String, JSON)] = [
            ("format", 1), ("content", .string((memory == nil ? SnapshotContent.data : .full).rawValue)),
            ("actorUid", .string(actorUID)), ("archive", .string(SnapshotDirectory.archiveName)),
            ("archiveBytes", .integer(Int64(archive.bytes))), ("archiveSha256", .string(archive.hash)),
        ]
        if let memory {
            let files = memory.files.sorted { $0.key < $1.key }.map { name, digest in
                (name, JSON.object([("bytes", .integer(Int64(digest.bytes))), ("sha256", .string(digest.hash))]))
            }
            var about: [(String, JSON)] = [("runtime", .string(memory.runtime))]
            if let version = memory.version { about.append(("version", .string(version))) }
            if let root = memory.root { about.append(("root", .string(root))) }
            about += [("port", .integer(Int64(memory.port))), ("files", .object(files))]
            members.append(("memory", .object(about)))
        }
        return JSON.object(members).text(indentation: 2)
    }

    init(actorUID: String, archive: FileDigest, memory: Memory?) {
        self.actorUID = actorUID
        self.archive = archive
        self.memory = memory
    }

    /// Nil when it is not one. Manifests from before checksums have an empty hash.
    init?(_ data: Data) {
        guard let members = try? JSONSerialization.jsonObject(with: data) as? [String: Any],
            let bytes = members["archiveBytes"] as? Int
        else { return nil }
        actorUID = members["actorUid"] as? String ?? ""
        archive = FileDigest(bytes: bytes, hash: members["archiveSha256"] as? String ?? "")
        guard members["content"] as? String == SnapshotContent.full.rawValue else { return }
        guard let memory = members["memory"] as? [String: Any], let runtime = memory["runtime"] as? String,
            let port = memory["port"] as? Int, let entries = memory["files"] as? [String: [String: Any]],
            !entries.isEmpty
        else { return nil }
        var files: [String: FileDigest] = [:]
        for (name, entry) in entries {
            guard Self.memoryNames.contains(name), let bytes = entry["bytes"] as? Int,
                let hash = entry["sha256"] as? String
            else { return nil }
            files[name] = FileDigest(bytes: bytes, hash: hash)
        }
        self.memory = Memory(
            runtime: runtime, version: memory["version"] as? String, root: memory["root"] as? String, files: files,
            port: port)
    }
}
