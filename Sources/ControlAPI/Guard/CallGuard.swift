package import GRPC
package import Identity
internal import SubstrateAPI
internal import SubstrateModel

/// Who may call what: asked before every call is handled.
package struct CallGuard: Sendable {
    /// How callers prove who they are.
    package enum Authentication: Sendable {
        /// By the certificate of their connection, if they show one.
        case certificates
        /// By a bearer token, which every call has to carry.
        case tokens(TokenVerifier)
    }

    private let authentication: Authentication
    private let authorizer: Authorizer?
    private let rates: ClientRates?

    /// - Parameters:
    ///   - authorizer: nil allows everything to whoever is authenticated.
    ///   - rates: how often clients may call; nil for as often as they like.
    package init(
        _ authentication: Authentication = .certificates, authorizer: Authorizer? = nil, rates: ClientRates? = nil
    ) {
        self.authentication = authentication
        self.authorizer = authorizer
        self.rates = rates
    }

    /// - Parameter atespace: the one that the request names; empty for all, nil when it is about none.
    /// - Returns: who calls; nil for somebody who has proved nothing and need not.
    @discardableResult
    package func admit(_ call: ServerCall, atespace: String?) async throws(Status) -> Identity? {
        let identity: Identity?
        do throws(IdentityError) {
            identity = try await self.identity(of: call)
        } catch {
            // Whoever fails to prove anything is known by the address, and does not get to try without end either.
            try rates?.count(nil, of: call)
            throw Status(error)
        }
        if let identity { call.identify(as: identity.description) }
        try rates?.count(identity, of: call)
        do throws(IdentityError) {
            try authorize(identity, call, atespace: atespace)
        } catch {
            throw Status(error)
        }
        return identity
    }

    private func authorize(_ identity: Identity?, _ call: ServerCall, atespace: String?) throws(IdentityError) {
        guard let authorizer, !authorizer.isOpen else { return }
        guard let identity else {
            throw IdentityError(.unauthenticated, "a client certificate is needed to call \(call.method.path)")
        }
        try authorizer.check(identity, method: call.method.path, atespace: atespace)
    }

    private func identity(of call: ServerCall) async throws(IdentityError) -> Identity? {
        switch authentication {
        case .tokens(let verifier):
            return try await verifier.verify(authorizationHeader: call.metadata["authorization"])
        case .certificates:
            guard let certificate = call.peerCertificate else { return nil }
            func names(_ kind: String) -> [String] {
                certificate.alternativeNames.filter { $0.hasPrefix(kind) }.map { String($0.dropFirst(kind.count)) }
            }
            return Identity(certificateURIs: names("URI:"), dnsNames: names("DNS:"))
        }
    }
}

extension Status {
    init(_ error: IdentityError) {
        let code: StatusCode =
            switch error.kind {
            case .unauthenticated: .unauthenticated
            case .permissionDenied: .permissionDenied
            case .invalidArgument: .invalidArgument
            case .internal: .internal
            }
        self.init(code: code, message: error.message)
    }
}

/// A request that is about one atespace, or about all when it names none.
protocol AtespaceScoped {
    var scope: String { get }
}

extension GetActorRequest: AtespaceScoped { var scope: String { actor.atespace } }
extension CreateActorRequest: AtespaceScoped { var scope: String { actor.atespace } }
extension UpdateActorRequest: AtespaceScoped { var scope: String { actor.atespace } }
extension SuspendActorRequest: AtespaceScoped { var scope: String { actor.atespace } }
extension PauseActorRequest: AtespaceScoped { var scope: String { actor.atespace } }
extension ResumeActorRequest: AtespaceScoped { var scope: String { actor.atespace } }
extension DeleteActorRequest: AtespaceScoped { var scope: String { actor.atespace } }
extension ListActorsRequest: AtespaceScoped { var scope: String { atespace } }
extension AtespaceRequest: AtespaceScoped { var scope: String { name } }
extension ReleaseHoldRequest: AtespaceScoped { var scope: String { actor.atespace } }
// A worker may have an actor of any atespace.
extension DrainRequest: AtespaceScoped { var scope: String { "" } }
extension UndrainRequest: AtespaceScoped { var scope: String { "" } }
extension WatchActorsRequest: AtespaceScoped { var scope: String { atespace } }
extension WatchWorkersRequest: AtespaceScoped { var scope: String { "" } }
extension ActorLogsRequest: AtespaceScoped { var scope: String { actor.atespace } }
