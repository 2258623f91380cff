internal import Foundation
internal import GRPC
internal import ServiceKit
internal import SubstrateModel

/// The directory from which runsc starts a sandbox: the configuration, as the Open Container Initiative has it.
struct RunscBundle: Sendable {
    var container: Container
    /// The actor's, with what it is told of itself.
    var variables: [String: String]
    var root: RootFileSystem
    /// The durable directory on the node.
    var durable: String
    /// Of the worker.
    var networkNamespace: String
    /// Directories of the node that an actor must not see: where actors and snapshots and secrets lie.
    var hiddenDirectories: [String]

    /// Writes `config.json`. Blocks.
    func write(to directory: String) throws(RuntimeFailure) {
        do {
            try Data(configuration.text().utf8).write(to: URL(fileURLWithPath: "\(directory)/config.json"))
        } catch {
            throw RuntimeFailure(
                .internal, "cannot write \(directory)/config.json: \(error.localizedDescription)", mayLieInWorker: true)
        }
    }

    private var configuration: JSON {
        .object([
            ("ociVersion", "1.0.2"), ("hostname", "actor"), ("process", process),
            ("root", .object([("path", .string(root.path)), ("readonly", .boolean(root.isNodes))])),
            ("mounts", .array(mounts)),
            (
                "linux",
                .object([
                    (
                        "namespaces",
                        .array(
                            ["pid", "ipc", "uts", "mount"].map { .object([("type", .string($0))]) } + [
                                .object([("type", "network"), ("path", .string(networkNamespace))])
                            ])
                    )
                ])
            ),
        ])
    }

    private var process: JSON {
        let command = container.command.isEmpty ? root.command : container.command
        var environment: [String: String] = [:]
        for entry in root.environment {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { environment[String(parts[0])] = String(parts[1]) }
        }
        environment.merge(variables) { $1 }
        let user = JSON.integer(Int64(root.user))
        let capabilities = JSON.array(self.capabilities.map { .string($0) })
        return .object([
            ("terminal", false), ("user", .object([("uid", user), ("gid", user)])),
            ("args", .array(command.map { .string($0) })),
            ("env", .array(environment.sorted { $0.key < $1.key }.map { .string("\($0.key)=\($0.value)") })),
            ("cwd", .string(GVisorLayout.durable(of: container))), ("noNewPrivileges", true),
            (
                "capabilities",
                .object(
                    ["bounding", "effective", "inheritable", "permitted", "ambient"].map { ($0, capabilities) })
            ),
            (
                "rlimits",
                .array([.object([("type", "RLIMIT_NOFILE"), ("hard", 65_536), ("soft", 65_536)])])
            ),
        ])
    }

    /// Capabilities count within the sandbox only. Nobody may listen on a low port; the owner of an image may do what is
    /// usual in containers, but for what has to do with devices and raw packets.
    private var capabilities: [String] {
        let always = ["CAP_NET_BIND_SERVICE"]
        if root.isNodes { return always }
        return always + [
            "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
            "CAP_SETPCAP",
        ]
    }

    private var mounts: [JSON] {
        var mounts = [JSON.object([("destination", "/proc"), ("type", "proc"), ("source", "proc")])]
        let empty = root.isNodes ? RootFileSystem.privateDirectories : ["/tmp", "/run"]
        mounts += empty.map { Self.memory($0, mode: $0.hasSuffix("tmp") ? "1777" : "0755") }
        if root.isNodes {
            // What lies in one that is empty anyway needs no cover, and would have to be made there.
            mounts += hiddenDirectories.filter { hidden in !empty.contains { (hidden + "/").hasPrefix($0 + "/") } }
                .map { Self.memory($0, mode: "0700") }
        }
        return mounts + [
            .object([
                ("destination", .string(GVisorLayout.durable(of: container))), ("type", "bind"),
                ("source", .string(durable)), ("options", ["rbind", "rw"]),
            ])
        ]
    }

    private static func memory(_ path: String, mode: String) -> JSON {
        .object([
            ("destination", .string(path)), ("type", "tmpfs"), ("source", "tmpfs"),
            ("options", .array([.string("mode=\(mode)"), "nosuid", "nodev"])),
        ])
    }
}
