/// The id of a lease.
public struct LeaseID: Hashable, Sendable, CustomStringConvertible {
    /// The number by which the server knows it; not 0.
    public let rawValue: Int64

    /// A lease of this number.
    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// In hexadecimal, as etcdctl prints it.
    public var description: String { String(UInt64(bitPattern: rawValue), radix: 16) }
}

/// A lease that has been granted: keys put under it go away when it is not renewed in time.
public struct Lease: Sendable, Equatable {
    /// Its id.
    public let id: LeaseID
    /// How long it lives after a renewal. The server may have granted more than was asked for.
    public let timeToLive: Duration

    /// Creates a lease value, for those who implement `EtcdStore`.
    public init(id: LeaseID, timeToLive: Duration) {
        self.id = id
        self.timeToLive = timeToLive
    }
}

/// What the cluster knows of a lease.
public struct LeaseStatus: Sendable, Equatable {
    /// Until it expires, in whole seconds.
    public let timeLeft: Duration
    /// How long it lives after a renewal.
    public let timeToLive: Duration
    /// The keys under it, if they were asked for.
    public let keys: [Key]
}
