internal import Foundation
internal import Glibc
internal import SubstrateModel

/// The agent's own directory, locked for as long as this object lives.
///
/// ```
/// <path>/lock           held by the running agent
/// <path>/directory-id   random, for life: who holds the directory has killed the sandboxes of its predecessors
/// <path>/workers/<pod>/<epoch>/   one activation of an actor
/// <path>/snapshots/               local snapshots, which survive the agent
/// <path>/trash/<pod>.<epoch>/     the same once it is over, until it is removed
/// <path>/kept/<pod>.<epoch>/      a durable directory that could not be saved, for people
/// <path>/addresses      which addresses of actors may still be known to somebody
/// ```
package final class StateDirectory: Sendable {
    package let path: String
    /// The random id in `directory-id`.
    package let id: String
    private let lock: Int32

    /// - Parameter newID: makes the random id of a new directory.
    /// - Throws: `StateDirectoryError` when another agent holds it, or it cannot be used.
    package init(path: String, newID: () -> String) throws(StateDirectoryError) {
        self.path = path
        do {
            try FileManager.default.createDirectory(
                atPath: "\(path)/workers", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            // Wanted when the disk is full.
            for name in ["kept", "trash"] {
                try FileManager.default.createDirectory(
                    atPath: "\(path)/\(name)", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700]
                )
            }
        } catch {
            throw StateDirectoryError("cannot make directories in \(path): \(error.localizedDescription)")
        }
        let lock = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else {
            throw StateDirectoryError("cannot open \(path)/lock: \(String(cString: strerror(errno)))")
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw StateDirectoryError(
                "\(path) is in use by another atelet; stop it, or give this one another --state-dir")
        }
        self.lock = lock
        let file = "\(path)/directory-id"
        let known = FileManager.default.contents(atPath: file).map { String(decoding: $0, as: UTF8.self) }
        if known == nil, FileTree.isThere(file) {
            // With another id nobody would find what runs because of this directory.
            throw StateDirectoryError("cannot read \(file), which says what this directory is called")
        }
        if let known, !known.isEmpty {
            id = known
        } else {
            id = newID()
            do {
                try Data(id.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
            } catch {
                throw StateDirectoryError("cannot write \(file): \(error.localizedDescription)")
            }
        }
    }

    deinit { close(lock) }

    /// The snapshots of paused actors.
    package var localSnapshots: LocalSnapshots { LocalSnapshots(root: "\(path)/snapshots") }

    package var addressLedger: any AddressLedger { AddressFile(path: "\(path)/addresses") }

    func activation(pod: String, epoch: Epoch) -> ActivationDirectory {
        ActivationDirectory(ActivationID(pod: pod, epoch: epoch), in: path)
    }

    /// In the environment of every process that runs because of this directory.
    var marker: String { ProcessRuntime.marker(of: id) }
    /// Every process that runs because of this directory has it.
    var mark: ProcessMark { .directory(id: id) }

    /// Removes what activations of an earlier agent have left.
    /// - Returns: what cannot be removed, and why. It is in nobody's way: no other activation has that name.
    func removeActivations() throws -> [FileError] {
        let left = try ["\(path)/workers", "\(path)/trash"].flatMap { directory in
            try FileManager.default.contentsOfDirectory(atPath: directory).map { "\(directory)/\($0)" }
        }
        return left.compactMap { path in
            do throws(FileError) { try FileTree.remove(path) } catch { return error }
            return nil
        }
    }
}

/// The directory of one activation.
struct ActivationDirectory: Sendable {
    let path: String
    let activation: ActivationID
    private let keptPath: String
    private let trashPath: String

    /// - Parameter directory: path of the state directory.
    init(_ activation: ActivationID, in directory: String) {
        self.activation = activation
        path = "\(directory)/workers/\(activation.pod)/\(activation.epoch)"
        keptPath = "\(directory)/kept/\(activation.pod).\(activation.epoch)"
        trashPath = "\(directory)/trash/\(activation.pod).\(activation.epoch)"
    }

    /// What the actor writes here survives it in its snapshots.
    var durable: String { "\(path)/durable" }

    /// The variable that names it, in the environment of every process of the activation.
    static let variable = "ATE_DURABLE_DIR"
    /// The same as an entry of an environment.
    var marker: String { "\(Self.variable)=\(durable)" }
    /// Every process of the activation has it.
    var mark: ProcessMark { ProcessMark(entry: marker, cgroup: ActorCgroup.name(of: activation)) }

    func create() throws {
        try FileManager.default.createDirectory(
            atPath: durable, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    /// It is out of the way at once; what it takes to remove millions of files nobody waits for. The next agent removes what is left.
    func remove() {
        guard rename(path, trashPath) == 0 else {
            try? FileTree.remove(path)
            return
        }
        Self.removal.async { [trashPath] in try? FileTree.remove(trashPath) }
    }

    private static let removal = DispatchQueue(label: "removal of actors' files", qos: .background)

    /// Puts what the actor has written where nothing of ours removes it.
    /// - Returns: where it is.
    func keep() -> String {
        try? FileManager.default.createDirectory(
            atPath: (keptPath as NSString).deletingLastPathComponent, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        return rename(durable, keptPath) == 0 ? keptPath : durable
    }
}

/// A state directory that cannot be used.
package struct StateDirectoryError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
