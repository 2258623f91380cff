internal import CGRPC

/// Headers or trailers of a call, in order. Keys are lower case; a key that ends in `-bin` has a binary value, any
/// other a printable ASCII one.
public struct Metadata: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    /// One header.
    public struct Entry: Sendable, Equatable {
        /// The lower-case name.
        public var key: String
        /// The value's bytes, as they were before any base64 on the wire.
        public var value: [UInt8]
    }

    /// The headers; a key may occur more than once.
    public var entries: [Entry] = []

    /// No headers.
    public init() {}

    /// Headers with text values.
    public init(dictionaryLiteral elements: (String, String)...) {
        entries = elements.map { Entry(key: $0.0, value: Array($0.1.utf8)) }
    }

    /// Appends a header with a text value.
    public mutating func append(_ key: String, _ value: String) {
        entries.append(Entry(key: key, value: Array(value.utf8)))
    }

    /// Appends a header with a binary value; the key has to end in `-bin`.
    public mutating func append(_ key: String, binary value: [UInt8]) {
        entries.append(Entry(key: key, value: value))
    }

    /// The first value of the header as text, or nil when it is absent or not UTF-8.
    public subscript(key: String) -> String? {
        binary(key).flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The first value of the header as bytes.
    public func binary(_ key: String) -> [UInt8]? { entries.first { $0.key == key }?.value }

    /// Copies what the core received; its array stays the core's.
    init(_ array: grpc_metadata_array) {
        entries = UnsafeBufferPointer(start: array.metadata, count: array.count).map { element in
            Entry(key: String(slice: element.key), value: [UInt8](slice: element.value))
        }
    }
}

/// Headers in the form the core sends: make them once for many calls that send the same ones.
public final class PreparedMetadata: Sendable {
    // Owned by this object alone and never changed after initialisation; the core takes references to the values.
    nonisolated(unsafe) let array: UnsafeMutableBufferPointer<grpc_metadata>

    /// Copies the headers.
    public init(_ metadata: Metadata) {
        array = .allocate(capacity: metadata.entries.count)
        array.initialize(repeating: grpc_metadata())
        for (index, entry) in metadata.entries.enumerated() {
            array[index].key = entry.key.slice
            array[index].value = entry.value.withUnsafeBytes {
                grpc_slice_from_copied_buffer($0.baseAddress, $0.count)
            }
        }
    }

    deinit {
        for element in array {
            grpc_slice_unref(element.key)
            grpc_slice_unref(element.value)
        }
        array.deallocate()
    }
}

extension String {
    /// The slice's bytes as text; bytes that are not UTF-8 are replaced.
    init(slice: grpc_slice) {
        self = String(decoding: [UInt8](slice: slice), as: UTF8.self)
    }

    /// A slice with a copy of the text.
    var slice: grpc_slice {
        var text = self
        return text.withUTF8 { grpc_slice_from_copied_buffer($0.baseAddress, $0.count) }
    }
}

extension [UInt8] {
    init(slice: grpc_slice) {
        var slice = slice
        self = Array(UnsafeBufferPointer(start: cgrpc_slice_start(&slice), count: cgrpc_slice_length(&slice)))
    }
}
