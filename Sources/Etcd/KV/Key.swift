/// A key: any bytes, ordered as unsigned numbers.
public struct Key: Hashable, Sendable, Comparable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The bytes.
    public var bytes: [UInt8]

    /// A key of these bytes.
    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// A key of the text's UTF-8 bytes.
    public init(_ text: String) { bytes = Array(text.utf8) }

    /// A key of the text's UTF-8 bytes.
    public init(stringLiteral text: String) { self.init(text) }

    /// The bytes as text, with a replacement for those that are not UTF-8.
    public var description: String { String(decoding: bytes, as: UTF8.self) }

    /// What remains behind `prefix`, as text; nil when the key does not begin with it or the rest is not UTF-8.
    public func suffix(after prefix: Key) -> String? {
        guard bytes.starts(with: prefix.bytes) else { return nil }
        return String(validating: bytes.dropFirst(prefix.bytes.count), as: UTF8.self)
    }

    /// The smallest key that is greater than this one.
    public var successor: Key { Key(bytes: bytes + [0]) }

    /// Compares byte by byte.
    public static func < (left: Key, right: Key) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }
}

/// One key, or all keys in an interval.
public struct KeyRange: Hashable, Sendable, CustomStringConvertible {
    /// The first key.
    public let start: Key
    /// The first key behind the interval; nil for the one key `start`. One zero byte stands for "no end".
    let end: Key?

    /// Only this key.
    public static func key(_ key: Key) -> KeyRange { KeyRange(start: key, end: nil) }

    /// Every key that begins with `prefix`; all keys for an empty one.
    public static func prefix(_ prefix: Key) -> KeyRange {
        // The first key behind: the prefix without trailing 0xff bytes, its last byte one greater.
        var end = prefix.bytes
        while let last = end.popLast() {
            if last < 0xff {
                return KeyRange(start: prefix, end: Key(bytes: end + [last + 1]))
            }
        }
        return KeyRange(start: prefix.bytes.isEmpty ? Key(bytes: [0]) : prefix, end: Key(bytes: [0]))
    }

    /// Keys from `start` on, up to and without `end`.
    public static func from(_ start: Key, upTo end: Key) -> KeyRange { KeyRange(start: start, end: end) }

    /// The part of the range behind `key`, for reading on after a page that ended with it.
    public func continued(behind key: Key) -> KeyRange { KeyRange(start: key.successor, end: end) }

    /// Whether the range holds the key.
    public func contains(_ key: Key) -> Bool {
        guard let end else { return key == start }
        return key >= start && (end.bytes == [0] || key < end)
    }

    /// For messages: the key, or the start with `*`.
    public var description: String { end == nil ? "\(start)" : "\(start)*" }
}

/// A key with its value and history, as stored.
public struct KeyValue: Sendable, Equatable {
    /// The key.
    public let key: Key
    /// The value.
    public let value: [UInt8]
    /// Revision at which the key was created. Re-creating a deleted key gives it a new one.
    public let createRevision: Int64
    /// Revision of the last put.
    public let modRevision: Int64
    /// Puts since the creation, 1 for a new key.
    public let version: Int64
    /// The lease that the key goes away with, if any.
    public let lease: LeaseID?

    /// Creates a pair, for those who implement `EtcdStore`.
    public init(
        key: Key, value: [UInt8], createRevision: Int64, modRevision: Int64, version: Int64, lease: LeaseID? = nil
    ) {
        self.key = key
        self.value = value
        self.createRevision = createRevision
        self.modRevision = modRevision
        self.version = version
        self.lease = lease
    }
}
