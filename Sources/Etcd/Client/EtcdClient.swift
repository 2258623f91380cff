/// A client of one etcd cluster. May be used by any number of tasks.
///
/// All its calls go to one member at a time, all its watches share one stream and all its leases another. Letting go of it
/// and of the watches it has made closes the connections.
public final class EtcdClient: EtcdStore {
    let core: EtcdCore
    let watches: WatchMultiplexer
    let keepAlives: KeepAliveStream

    /// Creates a client; connecting starts with the first call.
    /// - Parameter endpoints: `host:port` of each member, at least one. The first is used first; clients that are to spread
    ///   over the members shuffle them.
    public init(endpoints: [String], options: EtcdOptions = EtcdOptions()) {
        precondition(!endpoints.isEmpty, "an etcd client needs at least one endpoint")
        core = EtcdCore(endpoints: endpoints, options: options)
        watches = WatchMultiplexer(core: core)
        keepAlives = KeepAliveStream(core: core)
    }

    deinit { keepAlives.close() }

    /// The addresses that the client was made with.
    public var endpoints: [String] { core.endpoints.members.map(\.endpoint) }

    /// The address of the member that calls go to now.
    public var currentEndpoint: String { core.endpoints.current.endpoint }

    /// Turns to another member, for example before maintenance of the one in use. Calls and streams under way stay where
    /// they are until they end.
    public func leaveCurrentMember() {
        let member = core.endpoints.current
        core.endpoints.leave(
            member, because: EtcdError(.cancelled, "leave member", member.endpoint, "the caller asked for it"))
    }
}
