package import Etcd
package import ServiceKit

/// The flags for etcd that every program has that talks to it.
package enum EtcdFlags {
    package static func declare(in flags: inout Flags) {
        flags.text(
            "etcd-endpoint", "ADDRESS", default: "127.0.0.1:2379", help: "The etcd server, host:port.")
        flags.text(
            "etcd-root", "PREFIX", default: "/substrate/",
            help: "What every key begins with. Installations that share an etcd have different ones.")
    }

    /// - Throws: `FlagError`.
    package static func root(_ values: Flags.Values) throws(FlagError) -> String {
        let root = try values.text("etcd-root")
        guard root.hasPrefix("/"), root.hasSuffix("/") else {
            throw FlagError("--etcd-root \(root): must begin and end with '/'")
        }
        return root
    }

    /// - Throws: `FlagError`.
    package static func client(_ values: Flags.Values, _ log: Log) throws(FlagError) -> EtcdClient {
        var options = EtcdOptions()
        options.onEvent = { event in
            switch event {
            case .retrying(let error, let attempt):
                log.warning("etcd: trying again", ["error": .text(error), "attempt": .integer(Int64(attempt))])
            case .watchResuming(let range, let revision, let error):
                log.warning(
                    "etcd: a watch goes on after a break",
                    ["range": .text(range), "from revision": .integer(revision), "error": .text(error)])
            }
        }
        return EtcdClient(endpoint: try values.text("etcd-endpoint"), options: options)
    }
}
