internal import ControlPlane
internal import GRPC
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    /// Deletes all actors and atespaces. Templates and pools stay, as in the reference, where Kubernetes has them.
    @Sendable func debugClear(_ request: EmptyRequest) async throws -> EmptyResponse {
        guard options.allowsDebugClear else {
            throw Status.permissionDenied("DebugClear is switched off; start ateapi with --enable-debug to allow it")
        }
        try await store.clear()
        _ = try await store.createAtespace(Atespace.defaultName, Atespace(uid: control.newID()))
        return EmptyResponse()
    }
}
