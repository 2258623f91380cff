/// Runs `body` to its end although the calling task is or gets cancelled: for the last duties of something that stops.
/// `body` has to bound its own time.
package func uncancelled<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) async -> Value {
    // A child would inherit the cancellation.
    await Task(operation: body).value
}
