internal import Etcd
package import SubstrateModel

extension Store {
    /// Takes a snapshot off the list of dropped ones, as it was read: it has been removed, or must not be. That somebody else
    /// was faster is as good.
    package func forget(_ dropped: Stored<DroppedSnapshot>) async throws(StoreError) {
        let key = keys.garbage(dropped.value)
        _ = try await commit(when: [key.modRevision == dropped.modRevision], then: [.delete(key)], otherwiseRead: [])
    }
}
