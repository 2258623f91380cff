internal import COpenSSL
internal import Dispatch
internal import Glibc

/// A file that is written under a temporary name, checked against the SHA-256 that comes at its end, and then given its name.
/// The hash stays in the file, where the tools that restore a snapshot look for it.
///
/// Unchecked, because the one task that writes a snapshot calls its methods one after the other, each on a thread of its own
/// that may wait for the disk.
final class SnapshotFile: @unchecked Sendable {
    /// Bytes of the hash that a server sends behind the database.
    private static let hashSize = 32

    private let path: String
    private let temporaryPath: String
    private let descriptor: Int32
    private let hash = EVP_MD_CTX_new()
    /// The last bytes received: they may be the hash, which is not hashed.
    private var tail: [UInt8] = []
    private var size: Int64 = 0
    private var isInPlace = false

    struct Failure: Error {
        let text: String
        var isDamaged = false
    }

    init(path: String) throws(Failure) {
        self.path = path
        temporaryPath = "\(path).part"
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure(text: "cannot create \(temporaryPath): \(errorText())") }
        EVP_DigestInit_ex(hash, EVP_sha256(), nil)
    }

    deinit {
        close(descriptor)
        EVP_MD_CTX_free(hash)
        if !isInPlace { unlink(temporaryPath) }
    }

    func append(_ blob: [UInt8]) throws(Failure) {
        tail += blob
        let count = max(0, tail.count - Self.hashSize)
        EVP_DigestUpdate(hash, tail, count)
        tail.removeSubrange(..<count)
        var written = 0
        while written < blob.count {
            let result = blob.withUnsafeBytes { bytes in
                write(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
            }
            if result < 0, errno == EINTR { continue }
            guard result > 0 else { throw Failure(text: "cannot write \(temporaryPath): \(errorText())") }
            written += result
        }
        size += Int64(blob.count)
    }

    /// Checks the hash and puts the file in its place.
    /// - Returns: its size in bytes.
    func finish() throws(Failure) -> Int64 {
        var found = [UInt8](repeating: 0, count: Self.hashSize)
        EVP_DigestFinal_ex(hash, &found, nil)
        guard found == tail, size > Int64(Self.hashSize) else {
            throw Failure(text: "what was received does not have the hash that was sent with it", isDamaged: true)
        }
        guard fsync(descriptor) == 0 else { throw Failure(text: "cannot sync \(temporaryPath): \(errorText())") }
        guard rename(temporaryPath, path) == 0 else {
            throw Failure(text: "cannot rename \(temporaryPath) to \(path): \(errorText())")
        }
        isInPlace = true
        // The new name has to be on the disk too.
        let directory = open(
            path.contains("/") ? String(path[...(path.lastIndex(of: "/") ?? path.startIndex)]) : ".", O_RDONLY)
        if directory >= 0 {
            fsync(directory)
            close(directory)
        }
        return size
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
