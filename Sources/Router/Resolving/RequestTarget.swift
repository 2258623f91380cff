package import SubstrateModel

/// The actor that a request is for: the one that the header `ate-target-actor` names, otherwise the one that the host is of.
package enum RequestTarget: Sendable, Equatable {
    case actor(ActorRef)
    case refused(status: Int, message: String)

    package static let header = "ate-target-actor"

    /// - Parameters:
    ///   - header: nil or empty when the request has none.
    package init(host: String, header: String?) {
        if let header, !header.isEmpty {
            self = Self.named(header)
        } else if let actor = HostName.actor(host) {
            self = .actor(actor)
        } else {
            let rule = "it must be <actor>[.<atespace>].\(HostName.domain)"
            self = .refused(status: 404, message: "invalid host \"\(host.excerpt)\": \(rule)")
        }
    }

    private static func named(_ header: String) -> RequestTarget {
        let parts = header.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, parts.allSatisfy(NameRule.allows) else {
            return .refused(
                status: 400,
                message: "invalid \(Self.header) \"\(header.excerpt)\": it must be <atespace>/<actor>")
        }
        return .actor(ActorRef(atespace: parts[0], name: parts[1]))
    }
}
