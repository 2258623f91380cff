package import HTTP
internal import SubstrateModel

/// The plain HTTP endpoint that the proxy asks about each request: 200 with the destination, or 403 with the status and
/// text that the client is to get. (Of the refusals, nginx passes on only 401 and 403.)
package struct ResolveEndpoint: Sendable {
    package static let hostHeader = "x-ate-host"
    package static let destinationHeader = "x-ate-destination"
    package static let statusHeader = "x-ate-status"
    package static let messageHeader = "x-ate-message"

    private let resolver: ActorResolver

    package init(resolver: ActorResolver) { self.resolver = resolver }

    package func answer(_ request: HTTPRequest) async -> HTTPResponse {
        let host = request.headers[Self.hostHeader] ?? ""
        guard let actor = HostName.actor(host) else {
            let rule = "it must be <actor>[.<atespace>].\(HostName.domain)"
            return refusal(404, "invalid host \"\(host.excerpt)\": \(rule)")
        }
        switch await resolver.resolve(actor) {
        case .destination(let destination):
            return HTTPResponse(status: 200, headers: [Self.destinationHeader: destination])
        case .refused(let status, let message): return refusal(status, message)
        }
    }

    private func refusal(_ status: Int, _ message: String) -> HTTPResponse {
        // A header is one line of printable characters.
        let line = String(message.unicodeScalars.map { (0x20...0x7e).contains($0.value) ? Character($0) : "?" })
        return HTTPResponse(status: 403, headers: [Self.statusHeader: "\(status)", Self.messageHeader: line])
    }
}
