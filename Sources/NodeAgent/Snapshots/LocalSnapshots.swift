internal import Foundation
internal import Glibc
package import SubstrateModel

/// The snapshots of paused actors, which stay on this node.
///
/// ```
/// <root>/<actor uid>/.actor        atespace/name, to find out later whether the actor still wants them
/// <root>/<actor uid>/<nonce>/...   as SnapshotDirectory writes them: complete under this name
/// ```
/// They survive the agent. Runtimes find them by their URI like any other snapshot. All functions block.
package struct LocalSnapshots: Sendable {
    /// An absolute path that no snapshot of a template's location may lie below.
    package let root: String

    /// - Parameter root: an absolute path.
    package init(root: String) {
        self.root = "/" + root.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    private static let ownerName = ".actor"

    /// Where the runtime writes it and finds it.
    package func uri(of name: LocalSnapshotName) -> SnapshotURI { SnapshotURI("file://\(root)/\(name)") }

    /// Whether the URI lies in here.
    func holds(_ uri: SnapshotURI) -> Bool {
        uri.filePath?.split(separator: "/").starts(with: root.split(separator: "/")) == true
    }

    /// Whether there is anything under the name. What is there may still turn out to be damaged.
    /// A disk that does not answer has not lost it.
    package func contains(_ name: LocalSnapshotName) -> Bool { FileTree.isThere(path(name)) }

    /// Notes whose snapshots those of the uid are, before the first is written.
    func noteOwner(_ actor: ActorRef, uid: String) throws {
        guard NameRule.allows(uid) else { throw FileError("the uid \(uid.excerpt) cannot be the name of a directory") }
        let directory = "\(root)/\(uid)"
        try DurableDirectory.create(directory)
        try DurableDirectory.sync(root)
        try Data("\(actor.atespace)/\(actor.name)".utf8).write(
            to: URL(fileURLWithPath: "\(directory)/\(Self.ownerName)"), options: .atomic)
    }

    /// Whose snapshots those of the uid are; nil when that was never noted.
    func owner(uid: String) -> ActorRef? {
        let text = FileManager.default.contents(atPath: "\(root)/\(uid)/\(Self.ownerName)")
        let parts = text.map { String(decoding: $0, as: UTF8.self).split(separator: "/").map(String.init) } ?? []
        guard parts.count == 2, parts.allSatisfy(NameRule.allows) else { return nil }
        return ActorRef(atespace: parts[0], name: parts[1])
    }

    /// The complete ones, sorted.
    package var all: [LocalSnapshotName] { names(in: root).flatMap(of).sorted { $0.text < $1.text } }

    /// The complete ones of one actor.
    func of(uid: String) -> [LocalSnapshotName] {
        names(in: "\(root)/\(uid)").compactMap { LocalSnapshotName(actorUID: uid, nonce: $0) }
    }

    /// Removes one. What cannot be removed is found again by `all`.
    package func remove(_ name: LocalSnapshotName) {
        try? FileTree.remove(path(name))
    }

    /// Removes what an agent that was killed while it wrote has left, and what is left of actors without snapshots. Only
    /// before anything is written.
    func removeUnfinished() {
        for uid in names(in: root) {
            for name in names(in: "\(root)/\(uid)") where name.hasSuffix(".partial") {
                try? FileManager.default.removeItem(atPath: "\(root)/\(uid)/\(name)")
            }
            guard of(uid: uid).isEmpty else { continue }
            unlink("\(root)/\(uid)/\(Self.ownerName)")
            // Not if there is something in it after all.
            rmdir("\(root)/\(uid)")
        }
    }

    private func names(in path: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    }

    private func path(_ name: LocalSnapshotName) -> String { "\(root)/\(name)" }
}
