internal import Foundation
internal import LocalCluster
internal import Processes

/// Certificates for tests, made by openssl in a directory that goes away with this object.
package final class TestCertificates: Sendable {
    private let directory = TemporaryDirectory()

    /// Makes an authority and a certificate of it for a server at 127.0.0.1.
    package init() async throws {
        try await makeAuthority("ca")
        try await issue("server", name: "server", alternativeName: "IP:127.0.0.1", by: "ca")
    }

    package func path(_ file: String) -> String { "\(directory.path)/\(file)" }

    /// Makes an authority, `<name>.pem`.
    package func makeAuthority(_ name: String) async throws {
        try await openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=\(name)", "-keyout", path("\(name).key"), "-out", path("\(name).pem"),
        ])
    }

    /// Makes a certificate, `<file>.pem` with its key in `<file>.key`.
    /// - Parameter days: how long it is valid; a negative number makes one that has expired.
    package func issue(
        _ file: String, name: String, alternativeName: String = "DNS:localhost", by authority: String, days: Int = 2
    ) async throws {
        try await openssl([
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=\(name)",
            "-addext", "subjectAltName=\(alternativeName)", "-keyout", path("\(file).key"), "-out", path("\(file).csr"),
        ])
        try await openssl([
            "x509", "-req", "-in", path("\(file).csr"), "-CA", path("\(authority).pem"), "-CAkey",
            path("\(authority).key"), "-CAcreateserial", "-days", "\(days)", "-copy_extensions", "copy", "-out",
            path("\(file).pem"),
        ])
    }

    /// Makes a pair of keys for signing tokens, `<file>.key` and `<file>.pub`.
    package func makeKeys(_ file: String) async throws {
        try await openssl(["genrsa", "-out", path("\(file).key"), "2048"])
        try await openssl(["rsa", "-in", path("\(file).key"), "-pubout", "-out", path("\(file).pub")])
    }

    /// Puts one file in the place of another, as a rotation does.
    package func replace(_ file: String, by other: String) throws {
        try FileManager.default.removeItem(atPath: path(file))
        try FileManager.default.copyItem(atPath: path(other), toPath: path(file))
    }

    private func openssl(_ arguments: [String]) async throws {
        try await Tool.run("openssl", arguments, logs: directory.path)
    }
}
