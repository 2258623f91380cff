package import GRPC
package import ServiceKit

/// What the programs' servers have in common: a log line for each call, and a trailer with the time it took.
package enum CallLog {
    /// The defaults, with one line in `log` for each call, and the trailer `x-server-elapsed-us`.
    /// - Parameter metrics: count the calls as well.
    package static func serverOptions(_ log: Log, _ metrics: CallMetrics? = nil) -> ServerOptions {
        var options = ServerOptions()
        options.elapsedTrailer = "x-server-elapsed-us"
        options.onCompleted = { call in
            metrics?.note(call)
            note(call, log)
        }
        return options
    }

    /// Neither requests, responses nor headers but that of the trace are in it, so no secret is.
    private static func note(_ call: CompletedCall, _ log: Log) {
        var fields: [(String, JSON)] = [
            ("method", .string(String(call.method.path.prefix(128)))), ("code", .string(call.status.code.name)),
            ("ms", .number(call.duration / .milliseconds(1))), ("peer", .string(call.peer)),
        ]
        if let caller = call.caller { fields.append(("caller", .string(String(caller.prefix(256))))) }
        if let trace = TraceContext(parent: call.metadata[TraceContext.parentHeader]) {
            fields.append((TraceContext.logField, .string(trace.traceID)))
        }
        if call.status.code != .ok { fields.append(("error", .string(call.status.message))) }
        switch call.status.code {
        case .internal, .unknown, .unavailable, .dataLoss: log.write(.warning, "call failed", fields)
        default: log.write(.info, "call", fields)
        }
    }
}
