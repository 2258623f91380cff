internal import GRPC
internal import Identity
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    /// The methods of `ateapi.SessionIdentity`. No policy is needed for them: that a worker holds the actor is its right.
    var sessionIdentityMethods: [ServerMethod] {
        [
            offer(SessionIdentityMethods.mintJWT, atespace: { _ in nil }, mintJWT),
            offer(SessionIdentityMethods.mintCert, atespace: { _ in nil }, mintCert),
        ]
    }

    @Sendable private func mintJWT(_ request: MintJWTRequest, _ caller: Caller) async throws -> MintJWTResponse {
        guard let identity = caller.identity else { throw Status.unauthenticated("Need authorization header") }
        let session = try SessionName(
            appID: request.appID, userID: request.userID, sessionID: request.sessionID)
        try await checkThatWorkerHolds(session, identity)
        guard let minter = options.minter else { throw Status.internal("Failed to load session JWT pool") }
        return MintJWTResponse(token: try minter.mintJWT(for: session, audience: request.audience))
    }

    @Sendable private func mintCert(_ request: MintCertRequest, _ caller: Caller) async throws -> MintCertResponse {
        guard let identity = caller.identity else { throw Status.unauthenticated("could not verify peer certificate") }
        let session = try SessionName(
            appID: request.appID, userID: request.userID, sessionID: request.sessionID)
        try await checkThatWorkerHolds(session, identity)
        guard let minter = options.minter else { throw Status.internal("Failed to load session CA") }
        return MintCertResponse(
            certificates: try minter.mintCertificate(for: session, signingRequest: request.signingRequest))
    }

    /// The session is the actor's: the app is its atespace, the session its id. Who its user is the worker says, the control
    /// plane knows of none.
    private func checkThatWorkerHolds(_ session: SessionName, _ caller: Identity) async throws {
        guard let worker = caller.worker(trustDomain: options.workerTrustDomain) else {
            throw Status.permissionDenied(
                "\(caller) is not a worker: its name has to be "
                    + "spiffe://\(options.workerTrustDomain)/ns/<namespace>/pool/<pool>/worker/<pod>")
        }
        let ref = WorkerRef(pool: PoolRef(namespace: worker.namespace, name: worker.pool), pod: worker.pod)
        let actor = ActorRef(atespace: session.appID, name: session.sessionID)
        let holds = try await store.holds(ref, actor)
        guard holds else {
            throw Status.permissionDenied(
                "worker \(ref) does not hold the actor \(session.sessionID) of atespace \(session.appID)")
        }
    }
}
