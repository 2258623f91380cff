package import GRPC
package import ServiceKit

extension TraceContext {
    /// The trace that a call's headers name.
    package init?(_ metadata: Metadata) {
        self.init(parent: metadata[Self.parentHeader], state: metadata[Self.stateHeader])
    }
}

extension Metadata {
    /// With the trace of the request that is being handled, for a call that is made because of it.
    var passingTraceOn: Metadata {
        guard let trace = TraceContext.current else { return self }
        var metadata = self
        metadata.append(TraceContext.parentHeader, trace.parent)
        if let state = trace.state { metadata.append(TraceContext.stateHeader, state) }
        return metadata
    }
}

extension ServerCall {
    /// Handles the call as part of the trace that it belongs to.
    func inItsTrace<Result>(_ body: () async throws -> Result) async rethrows -> Result {
        guard let trace = TraceContext(metadata) else { return try await body() }
        return try await TraceContext.$current.withValue(trace) { try await body() }
    }
}
