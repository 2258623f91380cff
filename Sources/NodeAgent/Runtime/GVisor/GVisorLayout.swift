internal import SubstrateModel

/// Where an actor in gVisor finds what it is told of, always in the same places: it is in its memory, which goes on elsewhere.
enum GVisorLayout {
    /// Its durable directory, unless its container mounts that somewhere.
    private static let durable = "/run/substrate/durable"
    /// It listens at all of its addresses: the one that it is reached at is another one after each resume.
    static let listenAddress = "0.0.0.0"

    static func durable(of container: Container) -> String { container.volumeMounts.first?.path ?? durable }
}
