internal import Etcd

extension Store {
    /// Whether etcd still has what has changed since the revision. Not for one of the future either, which somebody has
    /// from before the store was restored from a backup. One read of one key.
    package func keepsHistory(since revision: Int64) async throws(StoreError) -> Bool {
        guard revision > 0 else { return false }
        do throws(EtcdError) {
            _ = try await etcd.range(RangeRequest(.key(Key(keys.root)), revision: revision))
            return true
        } catch {
            switch error.code {
            case .compacted, .futureRevision: return false
            default: throw StoreError(error)
            }
        }
    }
}
