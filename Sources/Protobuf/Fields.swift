public import CProtobufC

extension ProtobufCBinaryData {
    /// A copy of the bytes.
    public var array: [UInt8] { Array(UnsafeBufferPointer(start: data, count: len)) }

    /// The field as text.
    /// - Throws: `InvalidText` when it is not UTF-8 or holds a NUL, which no name here may and which C code would take
    ///   for the end.
    public func text(_ field: String) throws(InvalidText) -> String {
        let bytes = UnsafeBufferPointer(start: data, count: len)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw InvalidText(field: field, reason: "is not valid UTF-8")
        }
        if bytes.contains(0) { throw InvalidText(field: field, reason: "contains a NUL character") }
        return text
    }

    /// The field as text; nil when it is empty.
    /// - Throws: `InvalidText` as `text` does.
    public func nonEmptyText(_ field: String) throws(InvalidText) -> String? { len == 0 ? nil : try text(field) }

    /// The field as text for people; bytes that are not UTF-8 are replaced.
    public var lenientText: String { String(decoding: UnsafeBufferPointer(start: data, count: len), as: UTF8.self) }
}

/// A string field with bytes that are not allowed in one.
public struct InvalidText: Error, Sendable, CustomStringConvertible {
    /// The field's name as in the published proto.
    public let field: String
    /// What is wrong with it.
    public let reason: String

    /// Creates the error.
    public init(field: String, reason: String) {
        self.field = field
        self.reason = reason
    }

    /// One line.
    public var description: String { "\(field) \(reason)" }
}

/// The values that a repeated message field becomes; the field is nil when it is empty.
@inlinable
public func map<M: ProtobufMessage, Value>(
    _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<M>?>?, count: Int, _ transform: (borrowing M) throws -> Value
) rethrows -> [Value] {
    guard let pointers, count > 0 else { return [] }
    var values: [Value] = []
    values.reserveCapacity(count)
    for index in 0..<count {
        if let message = pointers[index] { values.append(try transform(message.pointee)) }
    }
    return values
}

/// The texts of a repeated string field.
/// - Throws: `InvalidText`, as `text` does.
public func texts(
    _ pointer: UnsafeMutablePointer<ProtobufCBinaryData>?, count: Int, _ field: String
) throws(InvalidText) -> [String] {
    var texts: [String] = []
    for element in UnsafeBufferPointer(start: pointer, count: pointer == nil ? 0 : count) {
        texts.append(try element.text(field))
    }
    return texts
}
