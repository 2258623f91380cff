internal import Foundation
internal import Glibc

/// Stops all that is in an activation's cgroup at once, and has it go on. A sandbox of gVisor traces its actor's threads, and
/// ends when one of them gets a signal at the wrong moment, so it gets none but to be killed.
///
/// All functions block, and do nothing where there are no such cgroups.
enum ActorFreezer {
    /// Stops all activations of a state directory.
    /// - Parameter mark: that of the directory.
    /// - Returns: of how many something may still move, or one of which nothing could be told.
    static func stopAll(_ mark: ProcessMark) -> Int {
        let parent = "\(ActorCgroup.freezerRoot)/\(mark.cgroup)"
        // Beside them lie the files of the cgroup, which have a dot in their names as they do, but are no directories.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
        return names.filter { ActorCgroup.isDirectory("\(parent)/\($0)") && !stop("\(parent)/\($0)") }.count
    }

    /// Lets one activation go on.
    /// - Parameters:
    ///   - mark: that of the directory.
    ///   - activation: that of the activation.
    static func letGoOn(_ mark: ProcessMark, _ activation: ProcessMark) {
        letGoOn("\(ActorCgroup.freezerRoot)/\(mark.cgroup)/\(activation.cgroup)")
    }

    /// Lets what is in a cgroup go on.
    /// - Parameter path: of the cgroup.
    static func letGoOn(_ path: String) { write(ActorCgroup.isUnified ? "0" : "THAWED", to: path) }

    /// Stops one activation. To be called again until nothing of it moves.
    /// - Returns: whether that is so.
    static func stop(_ cgroup: ActorCgroup) -> Bool { stop(path(of: cgroup)) }

    /// Lets one activation go on.
    static func letGoOn(_ cgroup: ActorCgroup) { letGoOn(path(of: cgroup)) }

    private static func path(of cgroup: ActorCgroup) -> String {
        cgroup.paths.first { $0.hasPrefix(ActorCgroup.freezerRoot + "/") } ?? ""
    }

    /// The cgroup of an activation that the lines of a process' `/proc/<pid>/cgroup` name; nil when it is in none.
    static func path(in lines: [UInt8]) -> String? {
        for line in String(decoding: lines, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, fields[1] == (ActorCgroup.isUnified ? "" : "freezer") else { continue }
            let names = fields[2].split(separator: "/").suffix(2)
            guard names.count == 2, names.first?.hasPrefix(ActorCgroup.parent(of: "")) == true else { continue }
            return "\(ActorCgroup.freezerRoot)/\(names.joined(separator: "/"))"
        }
        return nil
    }

    private static func stop(_ path: String) -> Bool {
        write(ActorCgroup.isUnified ? "1" : "FROZEN", to: path)
        let file = ActorCgroup.isUnified ? "cgroup.events" : "freezer.state"
        // One that is gone meanwhile does not move.
        guard let text = KernelFile.contents("\(path)/\(file)").map({ String(decoding: $0, as: UTF8.self) }) else {
            return errno == ENOENT || errno == ENODEV
        }
        return text.split(separator: "\n").contains(ActorCgroup.isUnified ? "frozen 1" : "FROZEN")
    }

    private static func write(_ text: String, to path: String) {
        let descriptor = open(
            "\(path)/\(ActorCgroup.isUnified ? "cgroup.freeze" : "freezer.state")", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = Glibc.write(descriptor, text, text.utf8.count)
        close(descriptor)
    }
}
