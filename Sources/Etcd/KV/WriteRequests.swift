/// The storing of one value.
public struct PutRequest: Sendable, Equatable {
    /// The key.
    public var key: Key
    /// The value.
    public var value: [UInt8]
    /// The lease that the key is to go away with. A put without one detaches the key from the lease it may have had.
    public var lease: LeaseID?
    /// Leave the key under the lease it has. The key has to exist.
    public var keepsLease = false
    /// Return the pair that there was before.
    public var returnsPrevious = false

    /// A put, under the lease if one is given.
    public init(_ key: Key, _ value: [UInt8], lease: LeaseID? = nil) {
        self.key = key
        self.value = value
        self.lease = lease
    }
}

/// What a put did.
public struct PutResponse: Sendable, Equatable {
    /// The revision of the put.
    public let revision: Int64
    /// The pair before it, if that was asked for and there was one.
    public let previous: KeyValue?
}

/// The deletion of one key or an interval.
public struct DeleteRequest: Sendable, Equatable {
    /// What to delete.
    public var range: KeyRange
    /// Return the pairs that are deleted.
    public var returnsPrevious = false

    /// A deletion of all that is in the range.
    public init(_ range: KeyRange) { self.range = range }
}

/// What a deletion did.
public struct DeleteResponse: Sendable, Equatable {
    /// The store's revision after it.
    public let revision: Int64
    /// How many keys there were.
    public let deleted: Int
    /// They, if they were asked for.
    public let previous: [KeyValue]
}
