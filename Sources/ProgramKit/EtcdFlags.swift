package import Etcd
internal import Foundation
internal import GRPC
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
        TLSFlags.declareClient("etcd", of: "etcd", in: &flags)
        flags.text("etcd-user", "NAME", help: "The user of etcd, where its authentication is switched on.")
        flags.text(
            "etcd-password-file", "FILE",
            help: "Holds the user's password, without a line end or with one. Read again for each renewal of the token."
        )
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
    /// - Parameter metrics: count what the client does.
    package static func client(
        _ values: Flags.Values, _ log: Log, _ metrics: EtcdCallMetrics? = nil
    ) throws(FlagError) -> EtcdClient {
        var options = EtcdOptions()
        if let metrics { options.hooks.measure = metrics.note }
        options.hooks.log = { note($0, log) }
        let credentials = try TLSFlags.client("etcd", values)
        if case .tls(let files, serverName: let name) = credentials {
            options.security.tls = files
            options.security.serverName = name
        }
        options.security.user = try user(values)
        return EtcdClient(endpoints: try endpoints(values), options: options)
    }

    private static func user(_ values: Flags.Values) throws(FlagError) -> EtcdUser? {
        guard let name = values.optional("etcd-user") else {
            if values.optional("etcd-password-file") != nil {
                throw FlagError("--etcd-password-file needs --etcd-user")
            }
            return nil
        }
        guard let path = values.optional("etcd-password-file") else {
            throw FlagError("--etcd-user \(name) needs --etcd-password-file")
        }
        let user = EtcdUser(name: name) { try password(in: path) }
        do {
            _ = try password(in: path)
        } catch {
            throw FlagError("--etcd-password-file \(path): \(error)")
        }
        return user
    }

    private static func password(in path: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path) else { throw PasswordFileError.unreadable }
        guard var text = String(data: data, encoding: .utf8) else { throw PasswordFileError.notText }
        if text.hasSuffix("\n") { text.removeLast() }
        if text.isEmpty { throw PasswordFileError.empty }
        return text
    }

    /// Says nothing of the contents.
    private enum PasswordFileError: String, Error, CustomStringConvertible {
        case unreadable = "cannot be read"
        case notText = "is not UTF-8"
        case empty = "is empty"

        var description: String { rawValue }
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
