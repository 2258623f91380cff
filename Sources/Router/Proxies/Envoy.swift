internal import Foundation
internal import Processes
package import ServiceKit

/// Envoy in front of the actors. Its configuration is in `EnvoyConfiguration`.
package struct Envoy: Proxy {
    package var settings: ProxySettings

    package init(_ settings: ProxySettings) { self.settings = settings }

    /// Of the path of a socket, in bytes.
    private static let maximumPath = 107

    package func run(_ environment: Environment) async throws {
        let directory = settings.directory
        guard EnvoyConfiguration.Side.clients.socket(in: directory).utf8.count <= Self.maximumPath else {
            throw ProxyError("\(directory) is too long a path for Envoy's socket in it: give another state directory")
        }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let configuration = EnvoyConfiguration(settings)
        let file = "\(directory)/envoy.json"
        try Data(configuration.bootstrap.text(indentation: 2).utf8).write(
            to: URL(fileURLWithPath: file), options: .atomic)
        try writeSecrets()
        try await ProxyProcess(
            name: "envoy", program: settings.program,
            arguments: ["-c", file, "--disable-hot-restart", "--log-level", "warning"],
            files: settings.files
        ) { _ in try writeSecrets() }.run(environment)
    }

    /// Envoy reads such a file when another is moved to its place. What it holds are the certificates themselves: if only their
    /// names were there, nothing would have changed.
    private func writeSecrets() throws {
        let secrets = try EnvoyConfiguration.secrets(settings) { path in
            String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
        }
        for (name, secret) in secrets {
            let file = EnvoyConfiguration.file(of: name, in: settings.directory)
            guard
                FileManager.default.createFile(
                    atPath: "\(file).new", contents: Data(secret.text().utf8), attributes: [.posixPermissions: 0o600])
            else { throw ProxyError("\(file).new cannot be written") }
            guard rename("\(file).new", file) == 0 else { throw ProxyError("\(file) cannot be replaced") }
        }
    }
}
