internal import COpenSSL
internal import Glibc

/// What tells whether a file is the one that was written.
struct FileDigest: Equatable {
    let bytes: Int
    /// SHA-256 in hexadecimal.
    let hash: String

    init(bytes: Int, hash: String) {
        self.bytes = bytes
        self.hash = hash
    }

    /// Reads the whole file. Blocks.
    /// - Parameter isCancelled: asked again and again; the work ends with an error once it says yes.
    init(of path: String, isCancelled: () -> Bool = { false }) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("open", path) }
        defer { close(descriptor) }
        guard let context = EVP_MD_CTX_new() else { throw FileError("no memory") }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else { throw FileError("there is no SHA-256") }
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        var total = 0
        while true {
            if isCancelled() { throw FileError("it was interrupted") }
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError("read", path) }
            if count == 0 { break }
            EVP_DigestUpdate(context, buffer, count)
            total += count
        }
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var size: UInt32 = 0
        EVP_DigestFinal_ex(context, &digest, &size)
        bytes = total
        hash = digest.prefix(Int(size)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0\(digits)" : digits
        }.joined()
    }
}
