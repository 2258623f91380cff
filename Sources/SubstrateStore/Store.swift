package import Etcd

/// The model in etcd. Every write is one transaction that compares what it was decided on.
package struct Store: Sendable {
    package let etcd: any EtcdStore
    package let keys: Keys
    /// Unix time in milliseconds, for the notes of what was dropped when. The control plane gives its own; without one,
    /// what is dropped counts as dropped long ago.
    package var wallClock: @Sendable () -> Int64
    /// Told of each transaction that wrote nothing because somebody else had changed something first: for metrics.
    package var onConflict: @Sendable () -> Void = {}

    package init(etcd: any EtcdStore, keys: Keys = Keys(), wallClock: @escaping @Sendable () -> Int64 = { 0 }) {
        self.etcd = etcd
        self.keys = keys
        self.wallClock = wallClock
    }
}
