/// A condition of a transaction.
///
/// Written as comparisons of what a key has: `key.modRevision == 7`, `key.isAbsent`, `KeyRange.prefix("a/").isEmpty`.
public struct Compare: Sendable, Equatable {
    /// How the two sides relate.
    public enum Relation: Sendable, Equatable { case equal, notEqual, less, greater }

    /// What is looked at, and the value it is compared with.
    public enum Target: Sendable, Equatable {
        /// Puts since the creation; 0 when the key is absent.
        case version(Int64)
        /// Revision of the creation; 0 when the key is absent.
        case createRevision(Int64)
        /// Revision of the last put; 0 when the key is absent.
        case modRevision(Int64)
        /// The value.
        case value([UInt8])
        /// The lease; 0 for none.
        case lease(Int64)
    }

    /// The keys; for an interval the condition has to hold for every key in it.
    public let range: KeyRange
    /// The relation.
    public let relation: Relation
    /// The other side.
    public let target: Target

    /// Creates a condition.
    public init(_ range: KeyRange, _ relation: Relation, _ target: Target) {
        self.range = range
        self.relation = relation
        self.target = target
    }
}

/// One side of a comparison: a property of a key.
public struct KeyProperty<Value: Sendable>: Sendable {
    let range: KeyRange
    let target: @Sendable (Value) -> Compare.Target

    /// Holds when the property has the value.
    public static func == (property: Self, value: Value) -> Compare {
        Compare(property.range, .equal, property.target(value))
    }
    /// Holds when the property does not have the value.
    public static func != (property: Self, value: Value) -> Compare {
        Compare(property.range, .notEqual, property.target(value))
    }
    /// Holds when the property is less than the value.
    public static func < (property: Self, value: Value) -> Compare {
        Compare(property.range, .less, property.target(value))
    }
    /// Holds when the property is greater than the value.
    public static func > (property: Self, value: Value) -> Compare {
        Compare(property.range, .greater, property.target(value))
    }
}

extension Key {
    /// Puts since the creation; 0 when the key is absent.
    public var version: KeyProperty<Int64> { KeyProperty(range: .key(self)) { .version($0) } }
    /// Revision of the creation; 0 when the key is absent.
    public var createRevision: KeyProperty<Int64> { KeyProperty(range: .key(self)) { .createRevision($0) } }
    /// Revision of the last put; 0 when the key is absent.
    public var modRevision: KeyProperty<Int64> { KeyProperty(range: .key(self)) { .modRevision($0) } }
    /// The value.
    public var value: KeyProperty<[UInt8]> { KeyProperty(range: .key(self)) { .value($0) } }
    /// Holds when there is no such key.
    public var isAbsent: Compare { createRevision == 0 }
    /// Holds when there is such a key.
    public var isPresent: Compare { createRevision > 0 }
}

extension KeyRange {
    /// Holds when there is no key in the range.
    public var isEmpty: Compare { Compare(self, .equal, .createRevision(0)) }
}
