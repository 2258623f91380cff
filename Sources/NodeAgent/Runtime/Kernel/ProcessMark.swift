internal import SubstrateModel

/// By what processes are known that run because of a state directory, or for one activation in it: an entry of their
/// environment, or a cgroup that they are in. The second is for those whose environment is not ours to fill, as gVisor's.
struct ProcessMark: Sendable {
    /// `NAME=value`.
    let entry: String
    /// A part of the path of a cgroup.
    let cgroup: String

    static func directory(id: String) -> ProcessMark {
        ProcessMark(entry: ProcessRuntime.marker(of: id), cgroup: ActorCgroup.parent(of: id))
    }

    static func activation(_ activation: ActivationID, in directory: String) -> ProcessMark {
        ProcessMark(
            entry: ActivationDirectory(activation, in: directory).marker, cgroup: ActorCgroup.name(of: activation))
    }

    /// Whether the lines of a process' `/proc/<pid>/cgroup`, such as `8:pids:/a/b`, have the cgroup in them.
    func isIn(_ lines: some Sequence<UInt8>) -> Bool {
        String(decoding: Array(lines), as: UTF8.self).split(separator: "\n").contains { line in
            line.split(separator: "/").dropFirst().contains { $0 == cgroup }
        }
    }
}
