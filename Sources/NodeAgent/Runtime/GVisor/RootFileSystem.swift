internal import GRPC
internal import SubstrateModel

/// What an actor sees as `/`. What it writes there is kept in its sandbox's memory, and nowhere else.
struct RootFileSystem: Sendable, Equatable {
    /// A directory of the node.
    var path: String
    /// Whether it is the node's own, of which the actor may only read what everybody may.
    var isNodes: Bool
    /// What to run when the container does not say.
    var command: [String] = []
    /// Variables that the image brings along, `NAME=value`.
    var environment: [String] = []

    static let nodes = RootFileSystem(path: "/", isNodes: true)

    /// Directories of the node's file system that are the node's own business: empty for an actor, and written to in memory.
    static let privateDirectories = ["/tmp", "/run", "/var/tmp", "/root", "/home"]

    /// The user and group of an actor: on the node's files nobody, in an image the one who owns it.
    var user: UInt32 { isNodes ? 65_534 : 0 }

    /// - Throws: `RuntimeFailure` when the container's image is not here.
    static func of(_ container: Container, _ images: ImageStore) throws(RuntimeFailure) -> RootFileSystem {
        let prefix = "rootfs:"
        if container.image.isEmpty { return .nodes }
        guard container.image.hasPrefix(prefix) else { return try images.rootFileSystem(of: container.image) }
        let path = String(container.image.dropFirst(prefix.count))
        guard SnapshotURI("file://\(path)").filePath == path, path != "/" else {
            throw RuntimeFailure(
                .invalidArgument,
                "container \(container.name): 'rootfs:' must be followed by an absolute path without '..' that is not '/'"
            )
        }
        guard DurableDirectory.exists(path) else {
            throw RuntimeFailure(
                .failedPrecondition, "container \(container.name): there is no directory \(path) on this node")
        }
        return RootFileSystem(path: path, isNodes: false)
    }
}
