/// Runs `body` for each of the values, some at a time, and returns when all are done.
package func forEach<Value: Sendable>(
    _ values: some Sequence<Value>, atATime limit: Int, _ body: @escaping @Sendable (Value) async -> Void
) async {
    await withTaskGroup(of: Void.self) { group in
        for (index, value) in values.enumerated() {
            if index >= limit { await group.next() }
            group.addTask { await body(value) }
        }
    }
}
