internal import Processes
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import Synchronization

/// Where the output of an actor's processes goes: to those who read the actor's, and into the agent's log, for whatever
/// collects that.
final class ProcessOutput: Sendable {
    private let output: ActorOutput
    private let actor: ActorRef
    private let log: Log
    /// Containers whose process has not ended, or not begun.
    private let left: Mutex<Int>

    init(_ activation: Activation, _ log: Log) {
        output = activation.output
        actor = activation.workload.actor
        left = Mutex(activation.workload.containers.count)
        self.log = log
    }

    func of(_ container: Container) -> Command.Output { .events { self.take($0, of: container.name) } }

    private func take(_ event: OutputEvent, of container: String) {
        switch event {
        case .line(let text, let stream):
            output.write(text, stream == .standardError ? .standardError : .standardOutput, container: container)
            note(String(decoding: text, as: UTF8.self), of: container)
        case .leftOut(let lines, _):
            let text = OutputEvent.note(leftOut: lines)
            output.write(Array(text.utf8), .notice, container: container)
            note(text, of: container)
        case .ended:
            let isLast = left.withLock { left in
                left -= 1
                return left == 0
            }
            if isLast { output.end() }
        }
    }

    private func note(_ text: String, of container: String) {
        log.info(
            "actor output", ["output": .string(text), "actor": .text(actor), "container": .string(container)])
    }
}
