internal import Foundation
package import GRPC
package import ServiceKit

/// The flags for certificates, of servers and of clients.
package enum TLSFlags {
    /// Declares the flags of a server: `--tls-cert`, `--tls-key`, `--tls-client-cacert`.
    package static func declareServer(in flags: inout Flags, clients: String) {
        flags.text(
            "tls-cert", "FILE",
            help: "The server's certificate with its chain, PEM; switches TLS on. Read again when it changes.")
        flags.text("tls-key", "FILE", help: "The key of --tls-cert, PEM.")
        flags.text("tls-client-cacert", "FILE", help: clients)
    }

    /// The credentials to serve with; `clients` says what `--tls-client-cacert` asks of clients.
    /// - Throws: `FlagError` when files are missing, cannot be read, or are no PEM files.
    package static func server(
        _ values: Flags.Values, clients: ServerCredentials.ClientCertificate
    ) throws(FlagError) -> ServerCredentials {
        let files = try files(values, authorities: "tls-client-cacert", certificate: "tls-cert", key: "tls-key")
        guard let files else { return .insecure }
        guard files.certificate != nil else {
            throw FlagError("--tls-client-cacert needs --tls-cert and --tls-key: without them there is no TLS")
        }
        return .tls(files, clients: files.authorities == nil ? .none : clients)
    }

    /// Declares the flags of a client: `--<prefix>-cacert`, `-cert`, `-key` and `-server-name`.
    /// - Parameter server: whom it talks to, for the help.
    package static func declareClient(_ prefix: String, of server: String, in flags: inout Flags) {
        flags.text(
            "\(prefix)-cacert", "FILE",
            help:
                "Certificates of the authorities that \(server)'s certificate has to come from, PEM; switches TLS on. Files are read again when they change."
        )
        flags.text("\(prefix)-cert", "FILE", help: "The certificate to show to \(server), PEM; switches TLS on.")
        flags.text("\(prefix)-key", "FILE", help: "The key of --\(prefix)-cert, PEM.")
        flags.text(
            "\(prefix)-server-name", "NAME",
            help: "The name that \(server)'s certificate has to be for, if not the host that is connected to.")
    }

    /// The credentials to connect with; without any of the flags there is no TLS.
    /// - Throws: `FlagError` when files are missing, cannot be read, or are no PEM files.
    package static func client(_ prefix: String, _ values: Flags.Values) throws(FlagError) -> ChannelCredentials {
        let name = values.optional("\(prefix)-server-name")
        let files = try files(
            values, authorities: "\(prefix)-cacert", certificate: "\(prefix)-cert", key: "\(prefix)-key")
        guard let files else {
            if name != nil {
                throw FlagError("--\(prefix)-server-name needs --\(prefix)-cacert: there is no TLS without it")
            }
            return .insecure
        }
        return .tls(files, serverName: name)
    }

    private static func files(
        _ values: Flags.Values, authorities: String, certificate: String, key: String
    ) throws(FlagError) -> TLSFiles? {
        for flag in [authorities, certificate, key] { try check(flag, values) }
        let files = TLSFiles(
            authorities: values.optional(authorities), certificate: values.optional(certificate),
            privateKey: values.optional(key))
        guard (files.certificate == nil) == (files.privateKey == nil) else {
            throw FlagError("--\(certificate) and --\(key) have to be given together")
        }
        return files.authorities == nil && files.certificate == nil ? nil : files
    }

    /// The core reads the files later and says little when it cannot; a mistake should show at the start.
    private static func check(_ flag: String, _ values: Flags.Values) throws(FlagError) {
        guard let path = values.optional(flag) else { return }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw FlagError("--\(flag) \(path): cannot be read; does it exist, and may this user read it?")
        }
        guard data.range(of: Data("-----BEGIN ".utf8)) != nil else {
            throw FlagError("--\(flag) \(path): is not a PEM file")
        }
    }
}
