internal import Synchronization

/// A result that one task gives and another waits for.
package final class Promise<Value: Sendable, Failure: Error>: Sendable {
    private enum State {
        case empty
        case waiting(UnsafeContinuation<Result<Value, Failure>?, Never>)
        case kept(Result<Value, Failure>)
        /// Nobody waits any more.
        case abandoned
    }

    private let state = Mutex(State.empty)

    package init() {}

    /// Gives the result; only the first counts.
    package func keep(_ result: Result<Value, Failure>) {
        let waiting = state.withLock { state -> UnsafeContinuation<Result<Value, Failure>?, Never>? in
            switch state {
            case .empty: state = .kept(result)
            case .waiting(let continuation):
                state = .kept(result)
                return continuation
            case .kept, .abandoned: break
            }
            return nil
        }
        waiting?.resume(returning: result)
    }

    /// Waits for the result; nil when the waiting task is cancelled first. For one waiter.
    package func result() async -> Result<Value, Failure>? {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let known = state.withLock { state -> Result<Value, Failure>?? in
                    switch state {
                    case .kept(let result): return .some(result)
                    case .abandoned: return .some(nil)
                    case .empty, .waiting:
                        state = .waiting(continuation)
                        return nil
                    }
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            let waiting = state.withLock { state -> UnsafeContinuation<Result<Value, Failure>?, Never>? in
                switch state {
                case .kept: return nil
                case .waiting(let continuation):
                    state = .abandoned
                    return continuation
                case .empty, .abandoned:
                    state = .abandoned
                    return nil
                }
            }
            waiting?.resume(returning: nil)
        }
    }
}
