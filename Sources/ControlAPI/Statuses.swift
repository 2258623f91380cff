package import ControlPlane
internal import Etcd
package import GRPC
internal import SubstrateAPI
internal import SubstrateModel
package import SubstrateStore

extension Status {
    static func invalid(_ message: String) -> Status { Status(code: .invalidArgument, message: message) }
    static func failedPrecondition(_ message: String) -> Status { Status(code: .failedPrecondition, message: message) }
    static func notFound(_ message: String) -> Status { Status(code: .notFound, message: message) }
    static func unauthenticated(_ message: String) -> Status { Status(code: .unauthenticated, message: message) }
    static func permissionDenied(_ message: String) -> Status { Status(code: .permissionDenied, message: message) }
    static func `internal`(_ message: String) -> Status { Status(code: .internal, message: message) }
    static func alreadyExists(_ message: String) -> Status { Status(code: .alreadyExists, message: message) }

    static func notFound(_ actor: ActorRef) -> Status { .notFound("Actor \(actor.name.excerpt) not found") }

    static let conflict = Status(code: .aborted, message: "concurrent update conflict, please retry")

    /// The status that clients know for the error. Clients match the texts.
    package init(_ error: ControlError) {
        switch error {
        case .actorNotFound(let ref): self = .notFound(ref)
        case .templateNotFound(let ref):
            self.init(
                code: .internal,
                message: "internal server error: while getting ActorTemplate \(ref): not found; "
                    + "apply it again, or delete the actor")
        case .noEligiblePool:
            self = .failedPrecondition(
                "no worker pool matches the template's sandboxClass and the template/actor selectors")
        case .noFreeWorkers: self = .failedPrecondition("no free workers available")
        case .quotaExceeded(let reason): self.init(code: .resourceExhausted, message: reason)
        case .isHeld(let ref):
            self = .failedPrecondition(
                "Actor \(ref.name.excerpt) is held since its worker was lost; "
                    + "release it with: atectl release-hold actor \(ref.name.excerpt) -a \(ref.atespace.excerpt)")
        case .failed(let failure):
            self.init(code: StatusCode(rawValue: Int(failure.code)) ?? .unknown, message: failure.message)
        case .operationInProgress:
            self.init(code: .aborted, message: "another operation is in progress for this actor")
        case .isSuspended(let ref):
            self = .failedPrecondition("Actor \(ref.name.excerpt) is suspended; resume it first")
        case .isPaused(let ref): self = .failedPrecondition("Actor \(ref.name.excerpt) is paused; resume it first")
        case .isNotRunning(let ref, let status):
            self = .failedPrecondition("Actor \(ref.name.excerpt) is not running (status: \(status.rawValue))")
        case .noOutput(let ref, let worker, let failure):
            self.init(
                code: failure.status.code,
                message: "the output of actor \(ref.name.excerpt) on worker \(worker) cannot be read: "
                    + failure.status.message)
        case .conflict: self = .conflict
        case .workerLost(let worker):
            self.init(code: .aborted, message: "worker \(worker) was lost under the actor, please retry")
        case .node(let failure): self.init(code: failure.status.code, message: failure.status.message)
        case .diedWhileSuspending:
            self.init(
                code: .aborted,
                message: "the actor died before its snapshot was complete and is suspended at its last external one")
        case .noAnswer(let worker):
            self.init(code: .unavailable, message: "worker \(worker) gives no answer and is being given up")
        case .unavailable(let reason): self.init(code: .unavailable, message: reason)
        case .store(let error): self.init(error)
        }
    }

    /// The status for an error of the store.
    package init(_ error: StoreError) {
        switch error {
        case .conflict: self = .conflict
        case .sessionLost: self.init(code: .unavailable, message: "\(error)")
        case .tooLarge: self = .invalid("\(error)")
        case .illegal(let transition): self = .failedPrecondition("\(transition)")
        case .unreadable: self.init(code: .dataLoss, message: "\(error)")
        case .etcd(let failure):
            switch failure.code {
            case .noSpace, .tooLarge: self.init(code: .resourceExhausted, message: "\(failure)")
            case .cancelled: self.init(code: .cancelled, message: "the call was cancelled")
            default:
                let code: StatusCode = failure.isRetriable ? .unavailable : .internal
                self.init(code: code, message: "\(failure)")
            }
        }
    }
}
