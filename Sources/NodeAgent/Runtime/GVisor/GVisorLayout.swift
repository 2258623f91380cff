internal import GRPC
internal import SubstrateModel

/// Where an actor in gVisor finds what it is told of, always in the same places: it is in its memory, which goes on elsewhere.
enum GVisorLayout {
    /// Empty on the node, and covered where runsc is started: it makes the places of mounts that are missing, and on the node's
    /// own files would do so on the node.
    static let mountRoot = "/run/substrate"
    /// Its durable directory, unless its container mounts that somewhere.
    private static let durable = "\(mountRoot)/durable"
    /// It listens at all of its addresses: the one that it is reached at is another one after each resume.
    static let listenAddress = "0.0.0.0"

    /// - Throws: `RuntimeFailure` for a container with the node's files that mounts something anywhere else.
    static func check(_ container: Container) throws(RuntimeFailure) {
        let path = durable(of: container)
        guard container.image.isEmpty, !path.hasPrefix(mountRoot + "/") else { return }
        throw RuntimeFailure(
            .failedPrecondition,
            "container \(container.name): without an image a durableDir can be mounted below \(mountRoot)/ alone, and not at "
                + path.excerpt)
    }

    static func durable(of container: Container) -> String { container.volumeMounts.first?.path ?? durable }
}
