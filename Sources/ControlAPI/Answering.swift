package import ControlPlane
internal import Etcd
package import GRPC
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// What the services have in common.
package struct ControlServices: Sendable {
    let control: ControlPlane
    private let callGuard: CallGuard
    var store: Store { control.store }

    /// - Parameter callGuard: lets everybody in unless it is given.
    package init(control: ControlPlane, callGuard: CallGuard = CallGuard()) {
        self.control = control
        self.callGuard = callGuard
    }

    /// Offers a method: its calls to etcd end a little before the client stops waiting, so that the client hears why;
    /// its errors become the statuses that clients know.
    func offer<Request, Response>(
        _ rpc: RPC<Request, Response>, _ handler: @escaping @Sendable (Request) async throws -> Response
    ) -> ServerMethod {
        offer(rpc, atespace: { _ in nil }, handler)
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
        ServerMethod(rpc) { request, call in
            let start = ContinuousClock.now
            defer { call.addTrailer("x-server-elapsed-us", "\(Int((.now - start) / .microseconds(1)))") }
            try await callGuard.admit(call, atespace: atespace(request))
            let deadline = call.deadline.map { $0 - min(.milliseconds(500), start.duration(to: $0) / 5) }
            do {
                return try await EtcdDeadline.$current.withValue(deadline) { try await handler(request) }
            } catch let error as Status {
                throw error
            } catch let error as ControlError {
                throw Status(error)
            } catch let error as StoreError {
                throw Status(error)
            }
        }
    }

    /// Every method that the control plane serves.
    package var methods: [ServerMethod] { controlMethods + resourcesMethods }
}
