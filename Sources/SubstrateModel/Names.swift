/// The rule for names of actors, atespaces, pools, workers and namespaces: a DNS-1123 label.
///
/// A name that passes can be part of a key, of a host name and of a file name as it is.
package enum NameRule {
    /// Longest name, in characters.
    package static let maximumLength = 63

    /// Why a name is not allowed.
    package enum Violation: Error, Equatable, CustomStringConvertible {
        case tooLong
        case badCharacters

        /// The text that clients know.
        package var description: String {
            switch self {
            case .tooLong: "must be no more than \(maximumLength) characters"
            case .badCharacters:
                "must start and end with a lower case alphanumeric character, "
                    + "and consist only of lower case alphanumeric characters or '-'"
            }
        }
    }

    /// What is wrong with the name, or nil.
    package static func violation(of name: String) -> Violation? {
        if name.utf8.count > maximumLength { return .tooLong }
        return hasAllowedCharacters(name[...]) ? nil : .badCharacters
    }

    private static func hasAllowedCharacters(_ name: Substring) -> Bool {
        guard let first = name.utf8.first, let last = name.utf8.last else { return false }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && name.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    /// Whether the name is allowed.
    package static func allows(_ name: String) -> Bool { violation(of: name) == nil }

    /// Whether it is a DNS subdomain: labels of any length with dots between them, at most 253 characters in all. Names of
    /// pools and templates may be that.
    package static func allowsSubdomain(_ name: String) -> Bool {
        name.utf8.count <= 253
            && name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { hasAllowedCharacters($0) }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

extension String {
    /// The text as it is repeated in messages: all of it, or the beginning of one that is longer than any name may be.
    package var excerpt: String {
        if utf8.count <= 253 { return self }
        return String(String.UnicodeScalarView(unicodeScalars.prefix(64))) + "..."
    }
}

/// Names an actor.
package struct ActorRef: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var atespace: String
    package var name: String

    package init(atespace: String, name: String) {
        self.atespace = atespace
        self.name = name
    }

    package var description: String { "\(atespace.excerpt)/\(name.excerpt)" }

    package static func < (left: ActorRef, right: ActorRef) -> Bool {
        (left.atespace, left.name) < (right.atespace, right.name)
    }
}

/// Names a worker: the pod of a pool.
package struct WorkerRef: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var pool: PoolRef
    package var pod: String

    package init(pool: PoolRef, pod: String) {
        self.pool = pool
        self.pod = pod
    }

    package var description: String { "\(pool)/\(pod.excerpt)" }

    package static func < (left: WorkerRef, right: WorkerRef) -> Bool {
        (left.pool, left.pod) < (right.pool, right.pod)
    }
}

/// Names a worker pool.
package struct PoolRef: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var namespace: String
    package var name: String

    package init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    package var description: String { "\(namespace.excerpt)/\(name.excerpt)" }

    package static func < (left: PoolRef, right: PoolRef) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }
}

/// Names an actor template.
package struct TemplateRef: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var namespace: String
    package var name: String

    package init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    package var description: String { "\(namespace.excerpt)/\(name.excerpt)" }

    package static func < (left: TemplateRef, right: TemplateRef) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }
}
