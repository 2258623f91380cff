internal import GRPC
internal import SubstrateModel

/// What an actor sees as `/`. What it writes there is kept in its sandbox's memory, and nowhere else.
struct RootFileSystem: Sendable, Equatable {
    /// A directory of the node.
    var path: String
    /// What it is, for those who come with a memory that was saved on it.
    var name: String
    /// Whether it is the node's own, of which the actor may only read what everybody may.
    var isNodes: Bool
    /// What to run when the container does not say.
    var command: [String] = []
    /// Variables that the image brings along, `NAME=value`.
    var environment: [String] = []

    static let nodes = RootFileSystem(path: "/", name: "node", isNodes: true)

    /// Directories of the node's file system that are the node's own business: empty for an actor, and written to in memory.
    static let privateDirectories = ["/tmp", "/run", "/var/tmp", "/root", "/home"]

    /// The user and group of an actor: on the node's files nobody, in an image the one who owns it.
    var user: UInt32 { isNodes ? 65_534 : 0 }

    /// Blocks.
    /// - Parameters:
    ///   - hidden: directories of the node that no actor may see.
    ///   - isCancelled: asked while an image is unpacked.
    /// - Throws: `RuntimeFailure` when the container's image is not here, or is a directory that it must not have.
    static func of(
        _ container: Container, _ images: ImageStore, hidden: [String] = [], isCancelled: () -> Bool = { false }
    ) throws(RuntimeFailure) -> RootFileSystem {
        let prefix = "rootfs:"
        if container.image.isEmpty { return .nodes }
        let root =
            container.image.hasPrefix(prefix)
            ? try images.rootFileSystem(at: String(container.image.dropFirst(prefix.count)))
            : try images.rootFileSystem(of: container.image, isCancelled: isCancelled)
        if images.isUnpacked(root) { return root }
        for directory in hidden.compactMap(RealPath.of)
        where RealPath.is(directory, below: root.path) || RealPath.is(root.path, below: directory) {
            throw RuntimeFailure(
                .failedPrecondition,
                "container \(container.name): \(root.path) has to do with \(directory), which is the node's own: "
                    + "keep images apart from state, snapshots and secrets")
        }
        return root
    }
}
