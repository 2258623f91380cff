package import GRPC
package import SubstrateModel

/// Where a request goes, or the answer that the proxy gives instead.
package enum Resolution: Sendable, Equatable {
    case destination(Destination)
    case refused(status: Int, message: String)

    static let stopping = Resolution.refused(status: 503, message: "the router is stopping")
    /// The same text as the proxies' own.
    static let unreachable = Resolution.refused(status: 503, message: unreachableText)
    /// For another router, which sends only what this one would pass on to the actor itself.
    static let elsewhere = Resolution.refused(status: elsewhereStatus, message: unreachableText)
    /// "Misdirected request". Between the endpoint and the proxy; what the other router gets is 503.
    static let elsewhereStatus = 421
    /// In the answer to the other router: it says that nobody has got the request. nginx asks again where it says so; from
    /// actors the header is not taken.
    static let elsewhereHeader = (name: "X-Accel-Redirect", value: "@elsewhere")
    /// A request that another router has sent to where clients send theirs.
    static let looping = Resolution.refused(
        status: 508,
        message: "a router has sent this where only clients send requests: its address for routers is wrong")
    /// This router cannot send requests to others.
    static func unpassable(_ actor: ActorRef) -> Resolution {
        let text = "actor \"\(actor.name)\" runs on another machine, and this router has no certificate for routers"
        return .refused(status: 503, message: text)
    }
    /// It runs, and nobody says on which machine.
    static func homeless(_ actor: ActorRef) -> Resolution {
        .refused(status: 503, message: "actor \"\(actor.name)\" unavailable: it is not known on which machine it runs")
    }
    package static let unreachableText = "the actor cannot be reached just now, please try again"

    /// `ip:port` where the request goes.
    var address: String? { if case .destination(let destination) = self { destination.address } else { nil } }

    /// The answer for a call that did not bring the actor up.
    package static func refused(_ actor: ActorRef, because status: Status) -> Resolution {
        let name = "actor \"\(actor.name)\""
        switch status.code {
        case .notFound: return .refused(status: 404, message: "\(name) not found")
        case .failedPrecondition: return .refused(status: 503, message: "\(name) unavailable: \(status.message)")
        case .unavailable: return .refused(status: 503, message: "\(name) unavailable")
        case .deadlineExceeded: return .refused(status: 504, message: "\(name) request timed out")
        case .permissionDenied: return .refused(status: 403, message: "\(name) access denied")
        case .unauthenticated: return .refused(status: 401, message: "\(name) authentication required")
        case .resourceExhausted: return .refused(status: 429, message: "\(name) rate limited")
        default: return .refused(status: 500, message: "error resuming \(name)")
        }
    }
}
