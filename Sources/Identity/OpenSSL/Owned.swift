internal import COpenSSL

/// An object of OpenSSL, freed with this value.
struct Owned: ~Copyable {
    let pointer: OpaquePointer
    private let free: (OpaquePointer) -> Void

    /// - Returns: nil for nil, which is OpenSSL's word for failure.
    init?(_ pointer: OpaquePointer?, _ free: @escaping (OpaquePointer) -> Void) {
        guard let pointer else { return nil }
        self.pointer = pointer
        self.free = free
    }

    deinit { free(pointer) }
}

enum OpenSSL {
    /// Runs `body` and clears what it leaves in the thread's queue of errors, where TLS on the same thread would find it
    /// and take it for its own.
    static func clean<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        defer { ERR_clear_error() }
        return try body()
    }

    /// What an `i2d` function writes: called once for the length, and once more to write. Nil when it fails.
    static func encoded(_ write: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32) -> [UInt8]? {
        let length = Int(write(nil))
        guard length > 0 else { return nil }
        return [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            var next = buffer.baseAddress
            count = max(0, Int(write(&next)))
        }
    }

    /// Reads with a `d2i` function, which has to take all of the bytes. Nil when it does not.
    static func decoded(
        _ bytes: [UInt8], _ free: @escaping (OpaquePointer) -> Void,
        _ read: (UnsafeMutablePointer<UnsafePointer<UInt8>?>, Int) -> OpaquePointer?
    ) -> Owned? {
        let (read, isWhole) = bytes.withUnsafeBufferPointer { buffer in
            var next = buffer.baseAddress
            let object = read(&next, buffer.count)
            return (object, next == buffer.baseAddress.map { $0 + buffer.count })
        }
        guard let object = Owned(read, free), isWhole else { return nil }
        return object
    }

    /// Lends a text as a file to read from. Nil when `read` fails.
    static func reading(_ text: String, _ read: (OpaquePointer) -> OpaquePointer?) -> OpaquePointer? {
        Array(text.utf8).withUnsafeBytes { bytes in
            // It keeps the address and copies nothing.
            guard let file = Owned(BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)), { BIO_free($0) }) else {
                return nil
            }
            return read(file.pointer)
        }
    }

    /// Bytes that nobody can guess. Nil when the system has none.
    static func random(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return RAND_bytes(&bytes, Int32(count)) == 1 ? bytes : nil
    }

    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var hash = [UInt8](repeating: 0, count: 32)
        EVP_Digest(bytes, bytes.count, &hash, nil, EVP_sha256(), nil)
        return hash
    }
}
