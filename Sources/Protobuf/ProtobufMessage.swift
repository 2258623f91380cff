/// A message struct that protoc-c has generated. The conformances are generated with it.
public protocol ProtobufMessage {
    /// Sets every field to its default.
    static func initialize(_ message: UnsafeMutablePointer<Self>)
}

/// Bytes that are not the message they should be.
public struct MalformedMessage: Error, Sendable, CustomStringConvertible {
    /// The full name of the message, for example `ateapi.GetActorRequest`.
    public let name: String
    /// What is wrong with it.
    public let reason: String

    /// Creates the error.
    public init(name: String, reason: String) {
        self.name = name
        self.reason = reason
    }

    /// One line.
    public var description: String { "not a valid \(name): \(reason)" }
}
