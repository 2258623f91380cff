package import Etcd
package import ServiceKit

/// The flags for etcd that every program has that talks to it.
package enum EtcdFlags {
    package static func declare(in flags: inout Flags) {
        flags.text(
            "etcd-endpoints", "ADDRESSES", default: "127.0.0.1:2379",
            help: "The members of the etcd cluster, host:port, with commas between them.")
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
        options.hooks.log = { note($0, log) }
        return EtcdClient(endpoints: try endpoints(values), options: options)
    }

    /// Every client starts with another member.
    private static func endpoints(_ values: Flags.Values) throws(FlagError) -> [String] {
        let text = try values.text("etcd-endpoints")
        let endpoints = text.split(separator: ",", omittingEmptySubsequences: false).map {
            String($0.drop { $0 == " " })
        }
        for endpoint in endpoints {
            let parts = endpoint.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count >= 2, parts.last.flatMap({ UInt16($0) }) ?? 0 > 0, !endpoint.contains("/") else {
                throw FlagError("--etcd-endpoints \(text): '\(endpoint)' is not host:port")
            }
        }
        return endpoints.shuffled()
    }

    private static func note(_ event: EtcdEvent, _ log: Log) {
        switch event {
        case .retrying(let error, let attempt):
            log.warning("etcd: trying again", ["error": .text(error), "attempt": .integer(Int64(attempt))])
        case .movedOn(let from, let to, let error):
            log.warning(
                "etcd: turning to another member",
                ["from": .string(from), "to": .string(to), "error": .text(error)])
        case .watchesResuming(let count, let endpoint, let error):
            log.warning(
                "etcd: the watches go on after a break",
                ["count": .integer(Int64(count)), "member": .string(endpoint), "error": .text(error)])
        case .watchPaused(let range, let revision):
            log.warning(
                "etcd: a watch is read too slowly and is taken up again later",
                ["range": .text(range), "at revision": .integer(revision)])
        case .authenticated(let user): log.debug("etcd: has a new token", ["user": .string(user)])
        case .authenticationNotEnabled:
            log.warning("etcd: a user is configured, but the cluster does not ask for one", [:])
        }
    }
}
