internal import Foundation
internal import Glibc
internal import SubstrateModel

/// A small file system in memory for what must not depend on whether the node's disks are full: what runsc notes of its
/// sandboxes, and the answers of tools. All functions block, and need root.
struct MemoryDirectory: Sendable {
    let path: String
    /// For what runsc notes a few KiB, and for the connections of an actor 5 MB at most, of those that are saved now.
    private static let size = "256m"

    /// - Parameter directoryID: of the state directory; a name.
    init(directoryID: String) { path = "/run/substrate-\(directoryID)" }

    /// That of one activation.
    func path(of activation: ActivationID) -> String { "\(path)/\(ActorCgroup.name(of: activation))" }

    /// Makes it, empty, unless it is there.
    /// - Throws: `FileError`.
    func create() throws(FileError) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw FileError("make", path) }
        if isMounted { return }
        guard mount("tmpfs", path, "tmpfs", UInt(MS_NOSUID | MS_NODEV | MS_NOEXEC), "size=\(Self.size),mode=0700") == 0
        else { throw FileError("mount a tmpfs at", path) }
    }

    /// Removes it, with all that is in it.
    /// - Throws: `FileError`.
    func remove() throws(FileError) {
        while isMounted {
            guard umount2(path, Int32(MNT_DETACH)) == 0 else { throw FileError("unmount", path) }
        }
        guard rmdir(path) == 0 || errno == ENOENT else { throw FileError("remove", path) }
    }

    private var isMounted: Bool {
        var own = stat()
        var parent = stat()
        return stat(path, &own) == 0 && stat((path as NSString).deletingLastPathComponent, &parent) == 0
            && own.st_dev != parent.st_dev
    }
}
