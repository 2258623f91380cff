package import GRPC
package import SubstrateModel

/// Where a request goes, or the answer that the proxy gives instead.
package enum Resolution: Sendable, Equatable {
    /// `ip:port`
    case destination(String)
    case refused(status: Int, message: String)

    static let stopping = Resolution.refused(status: 503, message: "the router is stopping")
    /// The same text as the proxies' own.
    static let unreachable = Resolution.refused(status: 503, message: unreachableText)
    package static let unreachableText = "the actor cannot be reached just now, please try again"

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
