package import ControlPlane
internal import Etcd
package import GRPC
internal import Identity
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// Who calls, and how.
struct Caller: Sendable {
    /// Nil for somebody who has proved nothing.
    var identity: Identity?
    /// Whether he would rather wait for another's workflow than be told that there is one: the header `wait` is `true`.
    var waits: Bool
    /// Until he should have an answer; nil when he never stops waiting.
    var timeLeft: Duration?
}

/// What the services have in common.
package struct ControlServices: Sendable {
    let control: ControlPlane
    let options: ControlServiceOptions
    private let callGuard: CallGuard
    var store: Store { control.store }

    /// - Parameter callGuard: lets everybody in unless it is given.
    package init(
        control: ControlPlane, callGuard: CallGuard = CallGuard(),
        options: ControlServiceOptions = ControlServiceOptions()
    ) {
        self.control = control
        self.callGuard = callGuard
        self.options = options
    }

    /// Offers a method: its calls to etcd end a little before the client stops waiting, so that the client hears why;
    /// its errors become the statuses that clients know.
    func offer<Request, Response>(
        _ rpc: RPC<Request, Response>, _ handler: @escaping @Sendable (Request) async throws -> Response
    ) -> ServerMethod {
        offer(rpc, atespace: { _ in nil }, handler)
    }

    /// The same for a method whose callers may have rights in some atespaces only, and to which it matters how they call.
    func offer<Request: AtespaceScoped, Response>(
        _ rpc: RPC<Request, Response>, _ handler: @escaping @Sendable (Request, Caller) async throws -> Response
    ) -> ServerMethod {
        offer(rpc, atespace: { $0.scope }, handler)
    }

    /// The same for a method whose callers may have rights in some atespaces only.
    func offer<Request: AtespaceScoped, Response>(
        _ rpc: RPC<Request, Response>, _ handler: @escaping @Sendable (Request) async throws -> Response
    ) -> ServerMethod {
        offer(rpc, atespace: { $0.scope }, handler)
    }

    private func offer<Request, Response>(
        _ rpc: RPC<Request, Response>, atespace: @escaping @Sendable (Request) -> String?,
        _ handler: @escaping @Sendable (Request) async throws -> Response
    ) -> ServerMethod {
        offer(rpc, atespace: atespace) { request, _ in try await handler(request) }
    }

    /// The same for a method to which it matters who calls, and how.
    func offer<Request, Response>(
        _ rpc: RPC<Request, Response>, atespace: @escaping @Sendable (Request) -> String?,
        _ handler: @escaping @Sendable (Request, Caller) async throws -> Response
    ) -> ServerMethod {
        ServerMethod(rpc) { request, call in
            let start = ContinuousClock.now
            let identity = try await callGuard.admit(call, atespace: atespace(request))
            let deadline = call.deadline.map { $0 - min(.milliseconds(500), start.duration(to: $0) / 5) }
            return try await answering {
                let caller = Caller(
                    identity: identity, waits: call.metadata["wait"] == "true",
                    timeLeft: deadline.map { start.duration(to: $0) })
                return try await EtcdDeadline.$current.withValue(deadline) { try await handler(request, caller) }
            }
        }
    }

    /// Offers a method with a stream of responses. It ends after some time, so that nobody goes on for ever by what he was
    /// once allowed; clients go on where it ended.
    func offer<Request: AtespaceScoped, Response>(
        _ rpc: StreamRPC<Request, Response>,
        _ handler: @escaping @Sendable (Request, ResponseWriter<Response>) async throws -> Void
    ) -> ServerMethod {
        .stream(rpc) { request, writer, call in
            let identity = try await callGuard.admit(call, atespace: request.scope)
            try await answering {
                try await ended(after: lifetime(of: identity)) { try await handler(request, writer) }
            }
        }
    }

    /// What goes wrong as the status that clients know.
    private func answering<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as ControlError {
            throw Status(error)
        } catch let error as StoreError {
            throw Status(error)
        } catch let error as EtcdError {
            throw Status(StoreError.etcd(error))
        } catch let error as IdentityError {
            throw Status(error)
        }
    }

    private func lifetime(of identity: Identity?) -> Duration {
        guard let end = identity?.validUntil else { return options.streamLifetime }
        return min(options.streamLifetime, .seconds(max(0, end - control.environment.wallClock() / 1000)))
    }

    private func ended(after lifetime: Duration, _ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { try await body() }
            group.addTask {
                try await control.environment.clock.sleep(for: lifetime)
                throw Status(
                    code: .unavailable, message: "the stream has lasted its time; open another where this one ended")
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Every method that the control plane serves.
    package var methods: [ServerMethod] {
        controlMethods + resourcesMethods + watchMethods + sessionIdentityMethods + operatorMethods + routerMethods
    }
}
