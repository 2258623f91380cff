internal import GRPC
internal import Protobuf

/// Whether a call may be sent again when it is not known what became of it.
enum CallKind {
    case read
    case write
    case guardedWrite
}

extension EtcdClient {
    /// Makes as many attempts as the kind of the call and the time allow.
    func call<Value: Sendable>(
        _ name: String, _ request: Message, on operation: String, _ kind: CallKind,
        service: String = "KV", _ read: (Message) throws -> Value
    ) async throws(EtcdError) -> (value: Value, earlierAttemptMayHaveSucceeded: Bool) {
        let end = min(ContinuousClock.now + options.callTimeout, EtcdDeadline.current ?? .now + .seconds(86_400))
        let method = Method("/etcdserverpb.\(service)/\(name)")
        var backoff = options.initialBackoff
        var unresolved = false
        var attempt = 1
        // Why it does not work, which "out of time" would hide.
        var reason: EtcdError?
        while true {
            let left = ContinuousClock.now.duration(to: end)
            guard left > .zero else { throw (reason ?? outOfTime(operation)).withOutcome(unresolved) }
            do {
                let reply = try await channel.unary(
                    method, request, metadata: ["hasleader": "true"], timeout: min(left, options.attemptTimeout))
                return (try parse(reply, operation: operation, kind: kind, read), unresolved)
            } catch let error as RPCError {
                let failure = EtcdError(error, operation: operation, endpoint: endpoint, isWrite: kind != .read)
                unresolved = unresolved || failure.outcome == .unknown
                if failure.code != .deadlineExceeded { reason = failure }
                let pause = backoff * Double.random(in: 0.5...1)
                let mayRepeat = failure.isRetriable && (kind != .write || failure.outcome == .notApplied)
                guard mayRepeat, ContinuousClock.now + pause < end else {
                    throw (reason ?? failure).withOutcome(unresolved)
                }
                options.onEvent(.retrying(failure, attempt: attempt))
                do { try await Task.sleep(for: pause) } catch { throw cancelled(operation).withOutcome(unresolved) }
                backoff = min(backoff * 2, options.maximumBackoff)
                attempt += 1
            } catch let error as EtcdError {
                throw error
            } catch {
                throw EtcdError(
                    code: .other, operation: operation, endpoint: endpoint, text: "\(error)", outcome: .unknown)
            }
        }
    }

    private func parse<Value>(
        _ reply: Message, operation: String, kind: CallKind, _ read: (Message) throws -> Value
    ) throws(EtcdError) -> Value {
        do {
            return try read(reply)
        } catch {
            throw EtcdError(
                code: .other, operation: operation, endpoint: endpoint, text: "the answer cannot be read: \(error)",
                outcome: kind == .read ? .notApplied : .unknown)
        }
    }

    private func outOfTime(_ operation: String) -> EtcdError {
        EtcdError(
            code: .deadlineExceeded, operation: operation, endpoint: endpoint, text: "the time for the call is up",
            outcome: .notApplied)
    }

    private func cancelled(_ operation: String) -> EtcdError {
        EtcdError(
            code: .cancelled, operation: operation, endpoint: endpoint, text: "the task was cancelled",
            outcome: .notApplied)
    }
}

extension EtcdError {
    /// The same error, with what is known after all attempts.
    func withOutcome(_ isUnresolved: Bool) -> EtcdError {
        EtcdError(
            code: code, operation: operation, endpoint: endpoint, text: text,
            outcome: isUnresolved ? .unknown : .notApplied)
    }
}
