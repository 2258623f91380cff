import Foundation
import NodeAgent
import ServiceKit

/// `atelet clear <state directory> [<subnet>...]`: removes what an agent that was killed has left on its machine, for one that
/// will not start again. Its actors are killed, and their processes, networks, cgroups and files go; snapshots stay.
enum Clearing {
    static let command = "clear"

    static func main(_ arguments: [String]) async -> Never {
        guard let path = arguments.first, path.hasPrefix("/") else {
            fail("usage: atelet clear <state directory> [<subnet of --actor-addresses>...]", status: 64)
        }
        do {
            // Of a directory that is not there, nothing can be left.
            guard FileManager.default.fileExists(atPath: "\(path)/directory-id") else { exit(0) }
            let directory = try StateDirectory(path: path, newID: { "" })
            let runtime = GVisorRuntime(
                directory: directory, snapshots: SnapshotDirectory(root: "\(path)/snapshots"),
                options: GVisorRuntime.Options(subnets: Array(arguments.dropFirst())), log: .none)
            try await runtime.killAll()
            exit(0)
        } catch {
            fail("\(error)", status: 1)
        }
    }

    private static func fail(_ reason: String, status: Int32) -> Never {
        LineWriter.standardError.write("atelet: \(reason)\n")
        Program.end(status)
    }
}
