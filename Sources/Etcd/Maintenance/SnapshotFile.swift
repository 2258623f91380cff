internal import COpenSSL
internal import Dispatch
internal import Glibc
internal import Synchronization

/// A file that is written under a temporary name, checked against the SHA-256 that comes at its end, and then given its name.
/// The hash stays in the file, where the tools that restore a snapshot look for it.
///
/// Its methods wait for the disk; `onDisk` is where they can.
final class SnapshotFile: Sendable {
    /// Bytes of the hash that a server sends behind the database.
    private static let hashSize = 32

    private let path: String
    private let temporaryPath: String
    private let descriptor: Int32
    private let state = Mutex(State())

    private struct State: ~Copyable {
        let hash = EVP_MD_CTX_new()
        /// The last bytes received: they may be the hash, which is not hashed.
        var tail: [UInt8] = []
        var size: Int64 = 0
        var isInPlace = false

        deinit { EVP_MD_CTX_free(hash) }
    }

    struct Failure: Error {
        let text: String
        var isDamaged = false
    }

    init(path: String) throws(Failure) {
        self.path = path
        temporaryPath = "\(path).part"
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure(text: "cannot create \(temporaryPath): \(errorText())") }
        state.withLock { state in _ = EVP_DigestInit_ex(state.hash, EVP_sha256(), nil) }
    }

    deinit {
        close(descriptor)
        if !state.withLock({ $0.isInPlace }) { unlink(temporaryPath) }
    }

    func append(_ blob: [UInt8]) throws(Failure) {
        try state.withLock { state throws(Failure) in
            state.tail += blob
            let count = max(0, state.tail.count - Self.hashSize)
            EVP_DigestUpdate(state.hash, state.tail, count)
            state.tail.removeSubrange(..<count)
            try write(blob)
            state.size += Int64(blob.count)
        }
    }

    private func write(_ blob: [UInt8]) throws(Failure) {
        var written = 0
        while written < blob.count {
            let result = blob.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
            }
            if result < 0, errno == EINTR { continue }
            guard result > 0 else { throw Failure(text: "cannot write \(temporaryPath): \(errorText())") }
            written += result
        }
    }

    /// Checks the hash and puts the file in its place.
    /// - Returns: its size in bytes.
    func finish() throws(Failure) -> Int64 {
        try state.withLock { state throws(Failure) in
            var found = [UInt8](repeating: 0, count: Self.hashSize)
            EVP_DigestFinal_ex(state.hash, &found, nil)
            guard found == state.tail, state.size > Int64(Self.hashSize) else {
                throw Failure(text: "what was received does not have the hash that was sent with it", isDamaged: true)
            }
            try putInPlace()
            state.isInPlace = true
            return state.size
        }
    }

    private func putInPlace() throws(Failure) {
        guard fsync(descriptor) == 0 else { throw Failure(text: "cannot sync \(temporaryPath): \(errorText())") }
        guard rename(temporaryPath, path) == 0 else {
            throw Failure(text: "cannot rename \(temporaryPath) to \(path): \(errorText())")
        }
        // The new name has to be on the disk too.
        let directory = open(
            path.contains("/") ? String(path[...(path.lastIndex(of: "/") ?? path.startIndex)]) : ".", O_RDONLY)
        if directory >= 0 {
            fsync(directory)
            close(directory)
        }
    }

    /// Runs something that may wait for the disk where that holds nobody up.
    static func onDisk<Value: Sendable>(_ body: @escaping @Sendable () throws(Failure) -> Value) async throws(Failure)
        -> Value
    {
        let result = await withUnsafeContinuation { (continuation: UnsafeContinuation<Result<Value, Failure>, Never>) in
            DispatchQueue.global().async { continuation.resume(returning: Result(catching: body)) }
        }
        return try result.get()
    }
}

private func errorText() -> String { String(cString: strerror(errno)) }
