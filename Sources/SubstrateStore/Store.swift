package import Etcd

/// The model in etcd. Every write is one transaction that compares what it was decided on.
package struct Store: Sendable {
    package let etcd: any EtcdStore
    package let keys: Keys

    package init(etcd: any EtcdStore, keys: Keys = Keys()) {
        self.etcd = etcd
        self.keys = keys
    }
}
