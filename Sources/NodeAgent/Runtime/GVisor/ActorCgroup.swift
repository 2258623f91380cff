internal import Foundation
internal import GRPC
internal import Glibc
internal import SubstrateModel

/// The cgroup of one activation: what bounds it, and by which its processes are found, whatever they do.
///
/// `substrate-<directory id>/<pod>.<epoch>` below the root of each hierarchy, or of the one there is with version 2. All
/// functions block.
struct ActorCgroup: Sendable {
    /// What an actor may use.
    struct Limits: Sendable {
        /// In bytes, with everything that keeps it in its sandbox.
        var memory: Int
        /// In thousandths of a processor; nil for as much as there is.
        var milliCPUs: Int?
        /// Threads, with those of the sandbox.
        var processes: Int
    }

    /// Each hierarchy's directory of this cgroup.
    let paths: [String]
    private let isUnified: Bool

    static func parent(of directoryID: String) -> String { "substrate-\(directoryID)" }
    static func name(of activation: ActivationID) -> String { "\(activation.pod).\(activation.epoch)" }

    private static let root = "/sys/fs/cgroup"
    /// What is needed of version 1.
    private static let controllers = ["pids", "memory", "cpu", "freezer"]

    /// Where the cgroups of activations lie that can be stopped.
    static var freezerRoot: String { isUnified ? root : "\(root)/freezer" }

    /// Whether there is version 2 alone.
    static var isUnified: Bool {
        FileManager.default.fileExists(atPath: "\(root)/cgroup.controllers")
    }

    private static func parents(_ directoryID: String) -> [String] {
        let hierarchies = isUnified ? [root] : controllers.map { "\(root)/\($0)" }
        return hierarchies.map { "\($0)/\(parent(of: directoryID))" }
    }

    /// - Parameters:
    ///   - directoryID: of the state directory; a name.
    ///   - activation: whose pod is a name.
    init(_ activation: ActivationID, directoryID: String) {
        isUnified = Self.isUnified
        paths = Self.parents(directoryID).map { "\($0)/\(Self.name(of: activation))" }
    }

    /// Makes it, empty.
    /// - Throws: `RuntimeFailure`, with what the kernel says about which file.
    func create(_ limits: Limits) throws(RuntimeFailure) {
        for path in paths {
            let parent = (path as NSString).deletingLastPathComponent
            try Self.makeDirectory(parent)
            if isUnified {
                try Self.write("+pids +memory +cpu", to: "\(Self.root)/cgroup.subtree_control")
                try Self.write("+pids +memory +cpu", to: "\(parent)/cgroup.subtree_control")
            }
            try Self.makeDirectory(path)
        }
        for (path, file, value) in settings(limits) { try Self.write(value, to: "\(path)/\(file)") }
    }

    private func settings(_ limits: Limits) -> [(path: String, file: String, value: String)] {
        let period = 100_000
        let quota = limits.milliCPUs.map { max(1000, period * $0 / 1000) }
        if isUnified {
            let path = paths[0]
            return [
                (path, "pids.max", "\(limits.processes)"), (path, "memory.max", "\(limits.memory)"),
                (path, "cpu.max", "\(quota.map { "\($0)" } ?? "max") \(period)"),
            ]
        }
        return [
            (paths[0], "pids.max", "\(limits.processes)"), (paths[1], "memory.limit_in_bytes", "\(limits.memory)"),
            (paths[2], "cpu.cfs_period_us", "\(period)"), (paths[2], "cpu.cfs_quota_us", "\(quota ?? -1)"),
        ]
    }

    /// The ids of the processes in it.
    var processes: [Int32] {
        let text = KernelFile.contents("\(paths[0])/cgroup.procs").map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(separator: "\n").compactMap { Int32($0) }
    }

    /// How many bytes it uses.
    var memoryInUse: Int {
        let file = isUnified ? "\(paths[0])/memory.current" : "\(paths[1])/memory.usage_in_bytes"
        let text = KernelFile.contents(file).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return Int(text.filter(\.isNumber)) ?? 0
    }

    /// Removes it, once its processes have ended.
    /// - Returns: false when one has not within a second.
    @discardableResult
    func remove() -> Bool { paths.map(Self.removeDirectory).allSatisfy { $0 } }

    /// Removes what earlier agents have left, whose processes are dead.
    /// - Throws: `RuntimeFailure` when something of it is still in use.
    static func removeLeftovers(directoryID: String) throws(RuntimeFailure) {
        for parent in parents(directoryID) {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
            // The files of a cgroup cannot be removed, and need not be.
            for name in names where isDirectory("\(parent)/\(name)") {
                guard removeDirectory("\(parent)/\(name)") else {
                    throw RuntimeFailure(.internal, "cannot remove the cgroup \(parent)/\(name): \(reason)")
                }
            }
            _ = removeDirectory(parent)
        }
    }

    /// Whether there is something for `removeLeftovers`.
    static func hasLeftovers(directoryID: String) -> Bool { parents(directoryID).contains(where: isDirectory) }

    private static func removeDirectory(_ path: String) -> Bool {
        // A process that has died leaves its cgroup a moment later.
        let deadline = ContinuousClock.now + .seconds(1)
        while rmdir(path) != 0 {
            if errno == ENOENT { return true }
            guard errno == EBUSY, ContinuousClock.now < deadline else { return false }
            usleep(1_000)
        }
        return true
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func makeDirectory(_ path: String) throws(RuntimeFailure) {
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
            throw RuntimeFailure(.internal, "cannot make the cgroup \(path): \(reason)", mayLieInWorker: true)
        }
    }

    private static func write(_ value: String, to file: String) throws(RuntimeFailure) {
        let descriptor = open(file, O_WRONLY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        let bytes = Array(value.utf8)
        guard descriptor >= 0, Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw RuntimeFailure(.internal, "cannot write \(value) to \(file): \(reason)", mayLieInWorker: true)
        }
    }

    private static var reason: String { String(cString: strerror(errno)) }
}
