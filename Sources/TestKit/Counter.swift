internal import Synchronization

/// Counts from 0.
package final class Counter: Sendable {
    private let value = Atomic<Int>(0)

    package init() {}

    /// The next number.
    package func next() -> Int { value.add(1, ordering: .relaxed).oldValue }
}

/// How often something has happened.
package final class Tally: Sendable {
    private let value = Atomic<Int>(0)

    package init() {}

    package func add() { value.add(1, ordering: .relaxed) }
    package func subtract() { value.subtract(1, ordering: .relaxed) }
    package var count: Int { value.load(ordering: .relaxed) }
}

/// Says yes once.
package final class Once: Sendable {
    private let counter = Counter()

    package init() {}

    /// Whether this is the first call.
    package func isFirst() -> Bool { counter.next() == 0 }
}

/// Says that something has happened.
package final class Flag: Sendable {
    private let value = Atomic<Bool>(false)

    package init() {}

    package func set() { value.store(true, ordering: .releasing) }
    package var isSet: Bool { value.load(ordering: .acquiring) }
}

/// Values in the order in which they came.
package final class Collected<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    package init() {}

    package func append(_ element: Element) { elements.withLock { $0.append(element) } }
    package var all: [Element] { elements.withLock { $0 } }
}

/// A value that tasks share.
package final class Shared<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    package init(_ value: Value) { self.value = Mutex(value) }

    package func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result { value.withLock { body(&$0) } }
    package var current: Value { value.withLock { $0 } }
    package func set(_ new: Value) { value.withLock { $0 = new } }
}
