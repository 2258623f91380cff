import GRPC
import ProgramKit
import Router
import ServiceKit

/// The flags for the routers of other machines.
enum PeerFlags {
    /// Where this router takes requests of others, as these are told.
    static func ownAddress(_ values: Flags.Values) throws(FlagError) -> IPv4Place? {
        (values.optional("peer-advertise-addr") ?? values.optional("peer-listen-addr")).flatMap(IPv4Place.init)
    }

    /// Nil without any of them.
    /// - Throws: `FlagError` when some are missing, or files cannot be read.
    static func peers(_ values: Flags.Values) throws(FlagError) -> ProxyPeers? {
        let listen = values.optional("peer-listen-addr")
        for flag in ["peer-listen-addr", "peer-advertise-addr"] {
            guard let address = values.optional(flag) else { continue }
            guard IPv4Place(address) != nil else {
                throw FlagError("--\(flag) \(address): must be an IPv4 address and a port, as 10.0.0.7:8443")
            }
        }
        if listen == nil, values.optional("peer-advertise-addr") != nil {
            throw FlagError("--peer-advertise-addr needs --peer-listen-addr: nothing else is meant by it")
        }
        if let listen, listen.hasPrefix("0.0.0.0:"), values.optional("peer-advertise-addr") == nil {
            throw FlagError(
                "--peer-listen-addr \(listen) needs --peer-advertise-addr: others cannot connect to 0.0.0.0")
        }
        guard case .tls(let files, let name) = try TLSFlags.client("peer", values) else {
            guard let listen else { return nil }
            guard values.isSet("insecure") else {
                throw FlagError(
                    "--peer-listen-addr needs --peer-cacert, --peer-cert and --peer-key: requests for the actors of other machines "
                        + "leave this one. Give it certificates, or --insecure to do without")
            }
            return ProxyPeers(listen: listen, tls: nil)
        }
        guard let authorities = files.authorities, let certificate = files.certificate, let key = files.privateKey
        else { throw FlagError("--peer-cacert, --peer-cert and --peer-key have to be given together") }
        return ProxyPeers(
            listen: listen,
            tls: ProxyPeers.TLS(
                certificate: certificate, privateKey: key, authorities: authorities, serverName: name ?? "atenet"))
    }

    static func declare(in flags: inout Flags) {
        flags.text(
            "peer-listen-addr", "ADDRESS",
            help:
                "Where the routers of other machines connect for the actors of this one, ip:port; with --peer-cert only those that show a certificate. Without TLS only with --insecure."
        )
        flags.text(
            "peer-advertise-addr", "ADDRESS",
            help:
                "Where they reach that, ip:port, if not at the address listened on: what the atelets of this machine have as --router-address."
        )
        flags.text(
            "peer-cacert", "FILE",
            help:
                "Certificates of the authorities that the routers' certificates have to come from, PEM. Whoever has such a certificate reaches all actors, so let it certify routers alone."
        )
        flags.text(
            "peer-cert", "FILE",
            help:
                "The certificate that this router shows to others, as server and as client, PEM. Read again when it changes."
        )
        flags.text("peer-key", "FILE", help: "The key of --peer-cert, PEM.")
        flags.text(
            "peer-server-name", "NAME",
            help: "The name that the certificates of all routers are for; atenet, unless given.")
    }
}
