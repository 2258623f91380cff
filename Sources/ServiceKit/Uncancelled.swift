/// Runs `service` until `body` has returned, also when the calling task is cancelled meanwhile: `body` is told, and what it
/// relies on stays until it has wound up.
package func withBackground<Value: Sendable>(
    _ service: @escaping @Sendable () async -> Void, _ body: () async throws -> Value
) async rethrows -> Value {
    // A child would be cancelled together with the body.
    let background = Task(executorPreference: inheritedExecutor) { await service() }
    do {
        let value = try await body()
        background.cancel()
        await background.value
        return value
    } catch {
        background.cancel()
        await background.value
        throw error
    }
}

/// Runs `body` to its end although the calling task is or gets cancelled: for the last duties of something that stops.
/// `body` has to bound its own time.
package func uncancelled<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) async -> Value {
    // A child would inherit the cancellation.
    await Task(executorPreference: inheritedExecutor) { await body() }.value
}

/// Where the current task's children would run, for a task that is none: it is to run in the same place all the same.
private var inheritedExecutor: (any TaskExecutor)? {
    withUnsafeCurrentTask { $0?.unownedTaskExecutor?.asTaskExecutor() }
}
