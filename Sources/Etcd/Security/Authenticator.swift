internal import CMessages
internal import GRPC
internal import Protobuf
internal import Synchronization

/// Holds the token by which servers know the user, and renews it when they no longer do.
///
/// A token expires, and a member that restarts forgets those it has given; both show as a refusal. Whoever meets one
/// discards the token, and one renewal serves all who need the next.
final class Authenticator: Sendable {
    /// The headers of a call, with the token in them if there is one.
    final class Headers: Sendable {
        let withLeader: PreparedMetadata
        let any: PreparedMetadata

        init(token: String?) {
            let token: Metadata = token.map { ["token": $0] } ?? [:]
            any = PreparedMetadata(token)
            // A member that has no leader then says so at once instead of keeping the call waiting.
            var withLeader = token
            withLeader.append("hasleader", "true")
            self.withLeader = PreparedMetadata(withLeader)
        }
    }

    /// The headers of a client that has no user.
    let anonymous: Headers?
    private let user: EtcdUser?
    private let hooks: EtcdHooks
    private let state: Mutex<State>

    private struct State {
        var headers: Headers?
        var renewal: Task<Headers, any Error>?
    }

    init(user: EtcdUser?, hooks: EtcdHooks) {
        self.user = user
        self.hooks = hooks
        anonymous = user == nil ? Headers(token: nil) : nil
        state = Mutex(State(headers: anonymous))
    }

    /// The headers to send, after a renewal if there is no token.
    func headers(_ core: EtcdCore) async throws(EtcdError) -> Headers {
        let (headers, renewal) = state.withLock { state -> (Headers?, Task<Headers, any Error>?) in
            if let headers = state.headers { return (headers, nil) }
            if let renewal = state.renewal { return (nil, renewal) }
            // Not with the deadline of the caller that happens to be first.
            let renewal = Task.detached(executorPreference: CallExecutor.shared) { try await self.renew(core) }
            state.renewal = renewal
            return (nil, renewal)
        }
        if let headers { return headers }
        do {
            // It ends within the time limit of a call.
            guard let renewal else { return Headers(token: nil) }
            return try await renewal.value
        } catch let error as EtcdError {
            throw error
        } catch {
            throw EtcdError(.authFailed, operation, core.endpoints.current.endpoint, "no password: \(error)")
        }
    }

    /// Says that a server has refused these.
    /// - Returns: whether there is a user to get others for.
    func discard(_ refused: Headers) -> Bool {
        if user == nil { return false }
        state.withLock { if $0.headers === refused { $0.headers = nil } }
        return true
    }

    private var operation: String { "authenticate \(user?.name ?? "")" }

    private func renew(_ core: EtcdCore) async throws -> Headers {
        do {
            let headers = Headers(token: try await fetchToken(core))
            state.withLock { state in
                state.headers = headers
                state.renewal = nil
            }
            return headers
        } catch {
            state.withLock { $0.renewal = nil }
            throw error
        }
    }

    private func fetchToken(_ core: EtcdCore) async throws -> String? {
        guard let user else { return nil }
        let password = try user.password()
        let request = Message.packing(Etcdserverpb__AuthenticateRequest.self) { request, arena in
            request.name = arena.bytes(user.name)
            request.password = arena.bytes(password)
        }
        do throws(EtcdError) {
            let token = try await core.call(
                .authenticate, request, .repeatable, .named(operation), Reply<String>.init(token:)
            ).value
            hooks.log(.authenticated(user: user.name))
            return token
        } catch {
            guard error.text.contains("authentication is not enabled") else { throw error }
            hooks.log(.authenticationNotEnabled)
            return nil
        }
    }
}

extension Reply<String> {
    fileprivate init(token message: Message) throws {
        self = try message.unpack(Etcdserverpb__AuthenticateResponse.self) { response in
            Reply(header: ResponseHeader(response.header), value: response.token.lenientText)
        }
    }
}
