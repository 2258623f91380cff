/// What a test waited for and did not happen.
package struct DidNotHappen: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}

/// Waits until the condition holds.
/// - Throws: `DidNotHappen` when it has not within the limit.
package func eventually(
    _ what: String, within limit: Duration = .seconds(20), _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        if ContinuousClock.now > deadline { throw DidNotHappen(description: "not within \(limit): \(what)") }
        try await Task.sleep(for: .milliseconds(2))
    }
}

/// Waits until there is a value.
/// - Throws: `DidNotHappen` when there is none within the limit.
package func eventualValue<Value>(
    _ what: String, within limit: Duration = .seconds(20), _ value: () async throws -> Value?
) async throws -> Value {
    var found: Value?
    try await eventually(what, within: limit) {
        found = try await value()
        return found != nil
    }
    guard let found else { throw DidNotHappen(description: what) }
    return found
}

/// Runs something long-lived beside `body`, and cancels it when `body` is done.
package func running<Result: Sendable>(
    _ service: @escaping @Sendable () async throws -> Void, _ body: () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await service() }
        do {
            let result = try await body()
            group.cancelAll()
            try? await group.waitForAll()
            return result
        } catch {
            group.cancelAll()
            try? await group.waitForAll()
            throw error
        }
    }
}
