/// Why a call is refused. The text is for the caller: it never holds a token or a key.
package struct IdentityError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The gRPC status to answer with.
    package enum Kind: Sendable { case unauthenticated, permissionDenied, invalidArgument, `internal` }

    package let kind: Kind
    package let message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }

    static let missingToken = IdentityError(.unauthenticated, "missing bearer token")

    static func invalidToken(_ why: String) -> IdentityError {
        IdentityError(.unauthenticated, "invalid bearer token: \(why)")
    }
}

/// What is wrong with a file of keys or rules, or with writing one.
package struct IdentityFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Names the file first.
    package let description: String

    init(_ path: String, _ problem: String) { description = "\(path): \(problem)" }
}

/// What is wrong inside a file, a document, or a request, said to whoever knows its name.
struct Problem: Error, Sendable, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
