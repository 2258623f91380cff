internal import Glibc
internal import ServiceKit
internal import Synchronization

/// What a file says, read anew when the file changes. When what it says then is wrong, the last good value stays, and the
/// log tells why.
final class ReloadingFile<Value: Sendable>: Sendable {
    private struct State {
        var value: Value
        /// Nil when the file may still change without its stamp changing.
        var stamp: FileStamp?
        var hash: [UInt8]
        var problem: String?
    }

    let path: String
    private let log: Log
    private let parse: @Sendable ([UInt8]) throws(Problem) -> Value
    private let state: Mutex<State>

    /// Reads the file for the first time.
    /// - Throws: `IdentityFileError` when it cannot be read or understood: what is wrong at the start is to be heard there.
    init(
        _ path: String, log: Log, parse: @escaping @Sendable ([UInt8]) throws(Problem) -> Value
    ) throws(IdentityFileError) {
        self.path = path
        self.log = log
        self.parse = parse
        do throws(Problem) {
            let (bytes, stamp) = try FileStamp.read(path)
            let value = try parse(bytes)
            state = Mutex(State(value: value, stamp: stamp, hash: OpenSSL.sha256(bytes)))
        } catch {
            throw IdentityFileError(path, error.description)
        }
    }

    /// The value of the file as it is now, or the last good one. Costs one look at the file's times.
    var current: Value {
        state.withLock { state in
            do throws(Problem) {
                if let stamp = state.stamp, try FileStamp(path) == stamp { return state.value }
                let (bytes, stamp) = try FileStamp.read(path)
                state.problem = nil
                let hash = OpenSSL.sha256(bytes)
                if hash != state.hash {
                    // Also of a file with mistakes, which is then not read again until it changes.
                    state.hash = hash
                    state.stamp = stamp
                    state.value = try parse(bytes)
                    log.info("read again, because it has changed", ["file": .string(path)])
                }
                state.stamp = stamp
            } catch {
                if state.problem != error.description {
                    log.error(
                        "cannot use the file as it is now; what it said before still holds",
                        ["file": .string(path), "problem": .string(error.description)])
                }
                state.problem = error.description
            }
            return state.value
        }
    }
}

/// What changes when a file changes.
struct FileStamp: Equatable {
    /// In bytes. Files of keys and rules are far smaller.
    static let maximumSize = 1 << 20

    private let device: UInt
    private let inode: UInt
    private let size: Int
    private let changedSeconds: Int
    private let changedNanoseconds: Int

    private init(_ status: stat) {
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
        size = Int(status.st_size)
        changedSeconds = status.st_ctim.tv_sec
        changedNanoseconds = status.st_ctim.tv_nsec
    }

    init(_ path: String) throws(Problem) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw Problem("cannot look at it: \(errorText())") }
        self.init(status)
    }

    /// A file's bytes, and its stamp unless it was changed so recently that another change might get the same one: the
    /// times of file systems are no finer than some milliseconds, here taken as two seconds.
    static func read(_ path: String) throws(Problem) -> ([UInt8], FileStamp?) {
        // Not blocking: opening a pipe would wait for its writer.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw Problem("cannot open it: \(errorText())") }
        defer { close(file) }
        var status = stat()
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        guard fstat(file, &status) == 0 else { throw Problem("cannot look at it: \(errorText())") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Problem("it is not a file") }
        let bytes = try contents(file)
        let isSettled = now.tv_sec - status.st_ctim.tv_sec > 2
        return (bytes, isSettled ? FileStamp(status) : nil)
    }

    private static func contents(_ file: Int32) throws(Problem) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Problem("cannot read it: \(errorText())") }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= maximumSize else { throw Problem("it is larger than \(maximumSize) bytes") }
        }
    }
}

func errorText() -> String { String(cString: strerror(errno)) }
