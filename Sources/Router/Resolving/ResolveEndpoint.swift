package import HTTP
internal import ServiceKit
internal import SubstrateModel

/// The plain HTTP endpoint that the proxy asks about each request. The answer is 200 with the destination, or a refusal with
/// the status and text that the client is to get.
package struct ResolveEndpoint: Sendable {
    /// nginx knows three answers: 200 when the request goes to the actor, 401 when it goes to the router of another machine, and
    /// 403 for a refusal, whose status and text are in headers.
    package static let nginxPath = "/nginx"
    /// Envoy passes on what it gets, unless it is a status of a server's error; for these it gets 200, and the status and text
    /// in headers. It appends the path of the request.
    package static let envoyPath = "/envoy"

    package static let hostHeader = "x-ate-host"
    package static let targetHeader = "x-ate-target"
    /// In an answer where the request goes; in a question where it could not go.
    package static let destinationHeader = "x-ate-destination"
    /// In an answer what the proxy has to say when it asks again: how often it will have asked again by then.
    package static let roundHeader = "x-ate-round"
    /// Set when the proxy cannot ask again for this request once it has begun, so that the endpoint has to see itself
    /// whether the destination takes connections.
    package static let checkHeader = "x-ate-check"
    /// In a question of a request that the router of another machine has sent: it goes no further than to an actor of this one.
    package static let peerHeader = "x-ate-peer"
    /// In a request that a router has passed on, and in the question about it.
    package static let forwardedHeader = "x-ate-forwarded"
    /// In an answer whether the destination is the router of another machine, 1 or 0.
    package static let routerHeader = "x-ate-router"
    package static let statusHeader = "x-ate-status"
    package static let messageHeader = "x-ate-message"

    /// What clients must not say.
    static let internalHeaders = [
        hostHeader, targetHeader, destinationHeader, roundHeader, checkHeader, peerHeader, forwardedHeader,
        routerHeader, statusHeader, messageHeader,
    ]
    /// Statuses of refusals that Envoy would take for a failure of the endpoint.
    static let envoyRefusals = [Resolution.elsewhereStatus, 500, 503, 504, 508]

    private let resolver: ActorResolver
    private let activity: RouterActivity?

    /// - Parameter activity: notes what is asked and answered.
    package init(resolver: ActorResolver, activity: RouterActivity? = nil) {
        self.resolver = resolver
        self.activity = activity
    }

    /// The answer, if it takes no waiting.
    package func answerAtOnce(_ request: HTTPRequest) -> HTTPResponse? {
        let question = Question(request)
        switch question.target {
        case .refused(let status, let message): return refused(question, status, message)
        case .actor(let actor):
            guard question.failure == nil, !question.needsCheck, let destination = resolver.destinationIfKnown(actor)
            else { return nil }
            guard case .destination = judged(destination, of: actor, question) else { return nil }
            activity?.routed(actor, to: destination, .zero)
            return question.destination(destination)
        }
    }

    package func answer(_ request: HTTPRequest) async -> HTTPResponse {
        let trace = TraceContext(
            parent: request.headers[TraceContext.parentHeader], state: request.headers[TraceContext.stateHeader])
        return await TraceContext.$current.withValue(trace) { await answer(Question(request)) }
    }

    private func answer(_ question: Question) async -> HTTPResponse {
        switch question.target {
        case .refused(let status, let message): return refused(question, status, message)
        case .actor(let actor):
            switch await resolution(of: actor, question) {
            case .destination(let destination): return question.destination(destination)
            case .refused(let status, let message): return question.refusal(status, message)
            }
        }
    }

    /// For a question that names no actor.
    private func refused(_ question: Question, _ status: Int, _ message: String) -> HTTPResponse {
        activity?.refused(question.asked.excerpt, status, message)
        return question.refusal(status, message)
    }

    private func resolution(of actor: ActorRef, _ question: Question) async -> Resolution {
        guard let activity else { return await resolve(actor, question) }
        return await activity.observing(actor) { await resolve(actor, question) }
    }

    private func resolve(_ actor: ActorRef, _ question: Question) async -> Resolution {
        var resolution = await resolver.resolve(actor, after: question.failure)
        var round = 0
        while case .destination(let destination) = resolution {
            let judged = judged(destination, of: actor, question)
            guard question.needsCheck, case .destination = judged else { return judged }
            if await DestinationCheck.takesConnections(destination.address) { return judged }
            round += 1
            resolution = await resolver.resolve(
                actor, after: FailedConnection(destination: destination.address, round: round))
        }
        return resolution
    }

    /// Whether this request can go there.
    private func judged(_ destination: Destination, of actor: ActorRef, _ question: Question) -> Resolution {
        if question.isLost { return .looping }
        guard destination.isRouter else { return .destination(destination) }
        // One that another router has sent goes no further, so none goes in circles.
        if question.isOfPeer { return .elsewhere }
        guard resolver.passesOn else { return .unpassable(actor) }
        return .destination(destination)
    }
}

/// What a proxy asks, and how it wants its answers.
private struct Question {
    let target: RequestTarget
    /// What it says of itself, whatever that is.
    let asked: String
    let failure: FailedConnection?
    let needsCheck: Bool
    /// Whether another router has sent the request.
    let isOfPeer: Bool
    /// Whether another router has sent it and takes this one for a client's.
    var isLost: Bool { isForwarded && !isOfPeer }
    private let isForwarded: Bool
    private let isOfNginx: Bool

    init(_ request: HTTPRequest) {
        isOfNginx = request.path == ResolveEndpoint.nginxPath
        let headers = request.headers
        let (host, header): (String, String?)
        if isOfNginx {
            (host, header) = (headers[ResolveEndpoint.hostHeader] ?? "", headers[ResolveEndpoint.targetHeader])
        } else {
            (host, header) = (headers["host"] ?? "", headers[RequestTarget.header])
        }
        target = RequestTarget(host: host, header: header)
        asked = header ?? host
        failure = headers[ResolveEndpoint.roundHeader].flatMap { Int($0) }.map {
            FailedConnection(destination: headers[ResolveEndpoint.destinationHeader] ?? "", round: $0)
        }
        needsCheck = headers[ResolveEndpoint.checkHeader] != nil
        isOfPeer = headers[ResolveEndpoint.peerHeader] != nil
        isForwarded = headers[ResolveEndpoint.forwardedHeader]?.isEmpty == false
    }

    func destination(_ destination: Destination) -> HTTPResponse {
        HTTPResponse(
            status: isOfNginx && destination.isRouter ? 401 : 200,
            headers: [
                ResolveEndpoint.destinationHeader: destination.address,
                ResolveEndpoint.roundHeader: "\((failure?.round ?? 0) + 1)",
                ResolveEndpoint.routerHeader: destination.isRouter ? "1" : "0",
            ])
    }

    func refusal(_ status: Int, _ message: String) -> HTTPResponse {
        let isOfEnvoy = !isOfNginx
        if isOfEnvoy, !ResolveEndpoint.envoyRefusals.contains(status) {
            return HTTPResponse(status: status, text: "\(message)\n")
        }
        // A header is one line of printable characters.
        let line = String(message.unicodeScalars.map { (0x20...0x7e).contains($0.value) ? Character($0) : "?" })
        return HTTPResponse(
            status: isOfEnvoy ? 200 : 403,
            headers: [ResolveEndpoint.statusHeader: "\(status)", ResolveEndpoint.messageHeader: line])
    }
}
