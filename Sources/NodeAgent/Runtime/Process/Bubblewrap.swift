internal import Foundation
internal import Glibc
internal import Processes
package import ServiceKit

/// What keeps actors of class process apart from the node, as far as an ordinary user can: their own processes, a file system
/// that they can read and write nowhere but in their durable directory, and empty directories where the node has secrets.
///
/// The network is the node's. What they run with, and for how much, nobody bounds.
package struct Bubblewrap: Sendable {
    /// Directories that no actor sees, without links.
    let hidden: [String]
    private let isRoot = getuid() == 0

    /// Empty, and each actor's own: what belongs to users, to the system's services, and what lies around.
    private static let emptied = ["/tmp", "/var/tmp", "/run", "/home", "/root"]
    private static let program = "bwrap"
    private static let trialLimit = Duration.seconds(10)

    /// Nil, with the reason in the log, where a trivial process cannot be run in it: without bubblewrap, or where users may not
    /// make namespaces.
    /// - Parameter hidden: directories that no actor may see, whether they are there or not.
    package static func ifUsable(hiding hidden: [String], _ log: Log) async -> Bubblewrap? {
        let bubblewrap = Bubblewrap(hidden: hidden.map { RealPath.of($0) ?? $0 })
        let place = NSTemporaryDirectory()
        do {
            let command = bubblewrap.wrap(Command("true", environment: ShortCommand.path), durable: place)
            try await ShortCommand.run(
                command.program, command.arguments, environment: command.environment, to: "run 'true' in bubblewrap",
                within: trialLimit)
            return bubblewrap
        } catch {
            log.warning(
                "actors run as plain processes, which nothing keeps apart from the node, since bubblewrap does not work",
                ["reason": .string("\(error)")])
            return nil
        }
    }

    /// The command that runs another one in it.
    /// - Parameter durable: the directory that can be written, which is where the command starts.
    func wrap(_ command: Command, durable: String) -> Command {
        var arguments = ["--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        // A port below 1024 is all that root's actors may have more than others.
        arguments += isRoot ? ["--cap-drop", "ALL", "--cap-add", "CAP_NET_BIND_SERVICE"] : ["--unshare-user"]
        arguments += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
        arguments += Self.emptied.flatMap { ["--tmpfs", $0] }
        // Where names of hosts are looked up by what a link in /etc leads to.
        arguments += ["--ro-bind-try", "/run/systemd/resolve", "/run/systemd/resolve"]
        // A program is wherever its owner has put it.
        if let path = Self.path(of: command), Self.emptied.contains(where: { path.hasPrefix($0 + "/") }) {
            let directory = (path as NSString).deletingLastPathComponent
            arguments += ["--ro-bind", directory, directory]
        }
        for path in hidden where DurableDirectory.exists(path) { arguments += ["--tmpfs", path] }
        arguments += ["--bind", durable, durable, "--chdir", durable, "--", command.program] + command.arguments
        var wrapped = command
        wrapped.program = Self.program
        wrapped.arguments = arguments
        return wrapped
    }

    /// Whether a variable has the dynamic linker or the C library load what it names.
    static func isObeyedByLoader(_ variable: String) -> Bool {
        variable.hasPrefix("LD_") || ["GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH", "NLSPATH"].contains(variable)
    }

    /// Where the command's program is; nil when there is none.
    static func path(of command: Command) -> String? {
        let program = command.program
        let places =
            program.contains("/")
            ? [program.hasPrefix("/") ? program : "\(command.directory ?? "")/\(program)"]
            : (command.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(program)" }
        return places.first { access($0, X_OK) == 0 }
    }
}
