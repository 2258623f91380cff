package import GRPC
package import ServiceKit

/// Log lines about calls that were answered.
package enum CallLog {
    package static func note(_ call: CompletedCall, _ log: Log) {
        let fields: KeyValuePairs<String, JSON> = [
            "method": .string(call.method.path), "code": .string(call.status.code.name),
            "error": .string(call.status.message), "ms": .number(call.duration / .milliseconds(1)),
            "peer": .string(call.peer),
        ]
        switch call.status.code {
        case .internal, .unknown, .unavailable, .dataLoss: log.warning("call failed", fields)
        default: log.debug("call", fields)
        }
    }
}
