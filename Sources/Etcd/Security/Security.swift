public import GRPC

/// How a client proves who it is, and checks whom it talks to.
public struct EtcdSecurity: Sendable {
    /// TLS with these files; nil for none. Files that change are read again, and new connections use what is in them.
    public var tls: TLSFiles?
    /// The name that the members' certificates have to be for; nil for the host of each endpoint.
    public var serverName: String?
    /// The user, where the cluster has authentication switched on; nil for none. A client certificate's common name can
    /// take its place.
    public var user: EtcdUser?

    /// No TLS and no user.
    public init() {}

    var channelCredentials: ChannelCredentials {
        tls.map { .tls($0, serverName: serverName) } ?? .insecure
    }
}

/// A user of etcd and where its password comes from.
public struct EtcdUser: Sendable, CustomStringConvertible {
    /// The name.
    public let name: String
    /// Called for each renewal of the token, so that a password can change. Must not block for long.
    let password: @Sendable () throws -> String

    /// Creates a user; `password` is called whenever a token is needed, for example to read a file again.
    public init(name: String, password: @escaping @Sendable () throws -> String) {
        self.name = name
        self.password = password
    }

    /// The name alone: secrets do not belong into logs.
    public var description: String { name }
}
