internal import Etcd
package import SubstrateModel

extension Store {
    /// The id of the replica that leads; nil when none does. For people: it may be another one by the time it is read.
    package func leader() async throws(StoreError) -> String? {
        // The candidate that has stood for the longest leads.
        var request = RangeRequest(.prefix(Key("\(keys.election)/")), limit: 1)
        request.sort = .ascending(.createRevision)
        request.isSerializable = true
        do {
            return try await etcd.range(request).pairs.first.flatMap { String(validating: $0.value, as: UTF8.self) }
        } catch {
            throw StoreError(error)
        }
    }

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
