internal import Foundation
internal import Synchronization

/// Directories to remove when the process ends in order.
enum DirectoriesAtExit {
    private static let paths = Mutex<[String]>([])

    static func add(_ path: String) {
        let isFirst = paths.withLock { paths in
            paths.append(path)
            return paths.count == 1
        }
        guard isFirst else { return }
        atexit {
            for path in DirectoriesAtExit.paths.withLock({ $0 }) { try? FileManager.default.removeItem(atPath: path) }
        }
    }
}
