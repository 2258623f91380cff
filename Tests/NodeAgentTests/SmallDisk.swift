import Foundation
import Glibc
import LocalCluster
import TestKit

@testable import NodeAgent

/// A file system that is soon full.
final class SmallDisk {
    private let files = TemporaryDirectory()
    var path: String { files.path }

    init(megabytes: Int) throws {
        guard mount("tmpfs", files.path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
            throw DidNotHappen(description: "mounting \(files.path): \(String(cString: strerror(errno)))")
        }
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }

    func remove() throws { umount2(path, Int32(MNT_DETACH)) }
}
