internal import Glibc

/// Files for their owner's eyes only, such as those with private keys.
package enum PrivateFile {
    /// Writes a file in the place of another, or of none: whoever reads it sees the old content or the new, never a part.
    /// - Throws: `IdentityFileError` when it cannot be written; then the old one is as it was.
    package static func replace(_ path: String, _ bytes: [UInt8]) throws(IdentityFileError) {
        let temporary = "\(path).\(UInt64.random(in: 0...UInt64.max)).new"
        try create(temporary, bytes)
        if rename(temporary, path) != 0 {
            let problem = errorText()
            unlink(temporary)
            throw IdentityFileError(path, "cannot replace it: \(problem)")
        }
    }

    /// Writes a new file that only its owner can read.
    /// - Throws: `IdentityFileError` when it cannot be written, or exists: whoever replaces keys should know that they do.
    static func create(_ path: String, _ bytes: [UInt8]) throws(IdentityFileError) {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            let advice = errno == EEXIST ? "; move it away first if its keys are to be replaced" : ""
            throw IdentityFileError(path, "cannot create it: \(errorText())\(advice)")
        }
        defer { close(file) }
        do throws(Problem) {
            try write(bytes, to: file)
        } catch {
            unlink(path)
            throw IdentityFileError(path, "cannot write it: \(error)")
        }
    }

    private static func write(_ bytes: [UInt8], to file: Int32) throws(Problem) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Problem(errorText()) }
            rest = rest.dropFirst(count)
        }
        guard fsync(file) == 0 else { throw Problem(errorText()) }
    }
}
