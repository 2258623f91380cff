internal import Etcd
package import SubstrateModel

extension Store {
    /// All operations with their revision, as of one. One that cannot be read is left out: nobody here runs it.
    /// - Parameter revision: nil for the latest.
    /// - Throws: `.etcd` with code `.compacted` when a revision that is given is gone.
    package func listOperations(at revision: Int64? = nil) async throws(StoreError) -> (
        revision: Int64, operations: [ActorRef: Stored<Operation>]
    ) {
        do throws(EtcdError) {
            let listing = try await etcd.list(keys.operations, at: revision)
            var operations: [ActorRef: Stored<Operation>] = [:]
            for pair in listing.pairs {
                guard let ref = keys.operationRef(pair.key) else { continue }
                operations[ref] = try? Codec.decode(pair)
            }
            return (listing.revision, operations)
        } catch {
            throw StoreError(error)
        }
    }
}
