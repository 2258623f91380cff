internal import Foundation
internal import GRPC
internal import Glibc
internal import SubstrateModel

/// The secrets of a node: files `<namespace>/<name>/<key>` whose whole content is the value. Read anew for every start of
/// an actor, so that a changed secret counts from the next one on.
package struct SecretDirectory: Sendable {
    /// Largest value, in bytes: what Linux lets one variable be, with room for its name.
    static let maximumSize = 120 << 10

    private let path: String?

    /// - Parameter path: the directory; nil when the node has none.
    package init(path: String?) { self.path = path }

    /// The variables of a container with the values of its secrets; optional ones that do not exist are left out.
    /// Of a name that occurs twice the last one counts. Blocks while it reads.
    /// - Parameter namespace: of the template.
    /// - Throws: `RuntimeFailure` with the texts that clients know.
    func variables(of container: Container, _ namespace: String) throws(RuntimeFailure) -> [String: String] {
        var variables: [String: String] = [:]
        for variable in container.environment {
            switch variable.source {
            case .value(let value): variables[variable.name] = value
            case .secret(let secret):
                let place = "container \"\(container.name)\" env \"\(variable.name)\""
                if let value = try value(of: secret, namespace, place) { variables[variable.name] = value }
            }
        }
        return variables
    }

    private func value(
        of secret: Container.SecretKey, _ namespace: String, _ place: String
    ) throws(RuntimeFailure) -> String? {
        // The control plane has checked that, too; but these become names of files.
        guard NameRule.allows(namespace), ContainerRules.allows(secret) else {
            throw RuntimeFailure(.invalidArgument, "\(place) refers to a secret by a name that is not allowed")
        }
        guard let path else {
            if secret.isOptional { return nil }
            throw RuntimeFailure(
                .failedPrecondition, "\(place) cannot resolve secretKeyRef because atelet runs without --secrets")
        }
        let directory = "\(path)/\(namespace)/\(secret.name)"
        switch read("\(directory)/\(secret.key)") {
        case .value(let value): return value
        case .missing where secret.isOptional: return nil
        case .missing:
            let what =
                FileManager.default.fileExists(atPath: directory)
                ? "missing key \"\(secret.key)\" in secret \(namespace)/\(secret.name)"
                : "missing secret \(namespace)/\(secret.name)"
            throw RuntimeFailure(.failedPrecondition, "\(place) references \(what)")
        case .unusable(let reason):
            throw RuntimeFailure(
                .internal,
                "while resolving \(place): key \"\(secret.key)\" of secret \(namespace)/\(secret.name) \(reason)")
        }
    }

    private enum Content {
        case value(String)
        case missing
        case unusable(String)
    }

    private func read(_ file: String) -> Content {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if descriptor < 0 {
            return errno == ENOENT || errno == ENOTDIR
                ? .missing : .unusable("cannot be read: \(String(cString: strerror(errno)))")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        let bytes: Data
        do { bytes = try handle.read(upToCount: Self.maximumSize + 1) ?? Data() } catch {
            return .unusable("cannot be read: \(error.localizedDescription)")
        }
        if bytes.count > Self.maximumSize { return .unusable("is larger than \(Self.maximumSize) bytes") }
        guard let text = String(data: bytes, encoding: .utf8), !text.utf8.contains(0) else {
            return .unusable("is not a UTF-8 text without NUL characters")
        }
        return .value(text)
    }
}
