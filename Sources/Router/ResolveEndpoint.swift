package import HTTP
internal import ServiceKit
internal import SubstrateModel

/// The plain HTTP endpoint that the proxy asks about each request: 200 with the destination, or 403 with the status and
/// text that the client is to get. (Of the refusals, nginx passes on only 401 and 403.)
package struct ResolveEndpoint: Sendable {
    package static let hostHeader = "x-ate-host"
    package static let destinationHeader = "x-ate-destination"
    package static let statusHeader = "x-ate-status"
    package static let messageHeader = "x-ate-message"

    private let resolver: ActorResolver
    private let activity: RouterActivity?

    /// - Parameter activity: notes what is asked and answered.
    package init(resolver: ActorResolver, activity: RouterActivity? = nil) {
        self.resolver = resolver
        self.activity = activity
    }

    package func answer(_ request: HTTPRequest) async -> HTTPResponse {
        let trace = TraceContext(
            parent: request.headers[TraceContext.parentHeader], state: request.headers[TraceContext.stateHeader])
        return await TraceContext.$current.withValue(trace) { await resolved(request) }
    }

    private func resolved(_ request: HTTPRequest) async -> HTTPResponse {
        let host = request.headers[Self.hostHeader] ?? ""
        guard let actor = HostName.actor(host) else {
            let rule = "it must be <actor>[.<atespace>].\(HostName.domain)"
            let message = "invalid host \"\(host.excerpt)\": \(rule)"
            activity?.refused("\(host.excerpt)", 404, message)
            return refusal(404, message)
        }
        switch await resolution(of: actor) {
        case .destination(let destination):
            return HTTPResponse(status: 200, headers: [Self.destinationHeader: destination])
        case .refused(let status, let message): return refusal(status, message)
        }
    }

    private func resolution(of actor: ActorRef) async -> Resolution {
        guard let activity else { return await resolver.resolve(actor) }
        return await activity.observing(actor) { await resolver.resolve(actor) }
    }

    private func refusal(_ status: Int, _ message: String) -> HTTPResponse {
        // A header is one line of printable characters.
        let line = String(message.unicodeScalars.map { (0x20...0x7e).contains($0.value) ? Character($0) : "?" })
        return HTTPResponse(status: 403, headers: [Self.statusHeader: "\(status)", Self.messageHeader: line])
    }
}
