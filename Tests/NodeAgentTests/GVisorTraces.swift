import Foundation
import LocalCluster

@testable import NodeAgent

/// All that actors in gVisor can leave on a machine, and their workers.
struct GVisorTraces {
    /// Of the state directory.
    let path: String
    let id: String

    /// As lines.
    var all: [String] {
        get throws {
            let names = NetworkNames(directoryID: id)
            let parent = ActorCgroup.parent(of: id)
            let cgroups = ["pids", "memory", "cpu", "freezer", "."].flatMap { hierarchy in
                entries("/sys/fs/cgroup/\(hierarchy)/\(parent)", "node-")
                    + entries("/sys/fs/cgroup/\(hierarchy)", parent)
            }
            let mounts = try lines(of: "/proc/mounts").filter {
                $0.contains(path) || $0.contains(names.namespacePrefix)
            }
            // Device and destination; of the rest, some is different each time.
            let routes = try lines(of: "/proc/net/route").filter { $0.contains(names.devicePrefix) }.map {
                $0.split(separator: "\t").prefix(2).joined(separator: " ")
            }
            let processes = processStates(ProcessRuntime.marker(of: id)).map { "process \($0.pid)" }
            return entries(MemoryDirectory(directoryID: id).path, "") + entries("/run/netns", names.namespacePrefix)
                + entries("/sys/class/net", names.devicePrefix) + cgroups + mounts + routes + processes
                + (FileManager.default.subpaths(atPath: "\(path)/workers") ?? [])
        }
    }

    private func entries(_ path: String, _ prefix: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { $0.hasPrefix(prefix) }
            .map { "\(path)/\($0)" }
    }

    private func lines(of file: String) throws -> [String] {
        try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map(String.init)
    }
}
