import GRPC
import ProgramKit
import Router
import ServiceKit

/// The flags of atenet, and what they say.
enum RouterFlags {
    static func options(_ values: Flags.Values) throws(FlagError) -> ResolverOptions {
        var options = ResolverOptions()
        options.budget = try values.duration("resume-budget")
        options.maximumWaiting = try values.number("max-waiting")
        options.maximumWaitingPerActor = try values.number("max-waiting-per-actor")
        options.addressRest = try values.duration("address-rest")
        options.neighbourhood = Neighbourhood(
            ownAddress: try PeerFlags.ownAddress(values), passesOn: try PeerFlags.peers(values) != nil)
        return options
    }

    static func settings(
        _ values: Flags.Values, endpoint: String, _ options: ResolverOptions
    ) throws(FlagError) -> ProxySettings {
        let listen = try values.text("http-listen-addr")
        try Loopback.check(listen, isAllowedAnyway: values.isSet("insecure"), flag: "--http-listen-addr")
        let proxy = try values.text("proxy")
        return ProxySettings(
            listen: listen, tls: try tls(values), peers: try PeerFlags.peers(values), endpoint: endpoint,
            directory: try values.text("state-dir"),
            program: try values.text(proxy), options: options)
    }

    static func proxy(
        _ values: Flags.Values, _ settings: ProxySettings, copying table: TableCopy, _ log: Log
    ) throws(FlagError) -> any Proxy {
        if try values.text("proxy") == "envoy" { return Envoy(settings) }
        let modules = try values.text("nginx-modules")
        let nginx = Nginx(settings, copying: table, modules: modules)
        if !nginx.hasCopy {
            log.info(
                "nginx asks about each request, since its Lua module is not there", ["modules": .string(modules)])
        }
        return nginx
    }

    /// The files are read by the proxy, which says little when it cannot; a mistake should show at the start.
    private static func tls(_ values: Flags.Values) throws(FlagError) -> ProxyTLS? {
        let credentials = try TLSFlags.server(values, clients: .required)
        guard let listen = values.optional("https-listen-addr") else {
            if credentials != .insecure {
                throw FlagError("--tls-cert needs --https-listen-addr: nothing else has TLS")
            }
            return nil
        }
        guard case .tls(let files, _) = credentials, let certificate = files.certificate,
            let privateKey = files.privateKey
        else { throw FlagError("--https-listen-addr needs --tls-cert and --tls-key") }
        return ProxyTLS(
            listen: listen, certificate: certificate, privateKey: privateKey, clientAuthorities: files.authorities)
    }

    static var all: Flags {
        var flags = Flags(
            program: "atenet",
            summary:
                "The router: takes HTTP requests for <actor>[.<atespace>].\(HostName.domain), or with the header \(RequestTarget.header): <atespace>/<actor>, brings the actor up where needed, and passes them on, through a proxy that it runs."
        )
        declareListeners(in: &flags)
        StatusListener.declare(default: "127.0.0.1:8001", in: &flags)
        flags.text("ateapi-address", "ADDRESS", default: "127.0.0.1:7300", help: "The control plane's API, host:port.")
        TLSFlags.declareClient("ateapi", of: "ateapi", in: &flags)
        TokenFlag.declare("ateapi", of: "ateapi", in: &flags)
        PeerFlags.declare(in: &flags)
        declareProxy(in: &flags)
        declareLimits(in: &flags)
        Logging.declare(in: &flags)
        return flags
    }

    private static func declareListeners(in flags: inout Flags) {
        flags.text(
            "http-listen-addr", "ADDRESS", default: "127.0.0.1:8000",
            help: "Where clients connect, ip:port. Without TLS, so loopback only.")
        flags.toggle(
            "insecure",
            help:
                "Allows --http-listen-addr, --peer-listen-addr and --status-listen-addr to be other addresses than loopback although there is no TLS."
        )
        flags.text(
            "https-listen-addr", "ADDRESS",
            help: "Where clients connect with TLS, ip:port; needs --tls-cert and --tls-key.")
        TLSFlags.declareServer(
            in: &flags,
            clients:
                "Certificates of the authorities that clients' certificates have to come from, PEM. Without it clients show none."
        )
    }

    private static func declareProxy(in flags: inout Flags) {
        flags.choice("proxy", ["nginx", "envoy"], default: "nginx", help: "Which proxy to run.")
        flags.text("nginx", "PROGRAM", default: "nginx", help: "The nginx to run; it needs the auth_request module.")
        flags.text(
            "nginx-modules", "DIRECTORY", default: Nginx.modules,
            help:
                "Where nginx's Lua module is: with it nginx looks up running actors in a copy of the router's table instead of asking about each request."
        )
        flags.text("envoy", "PROGRAM", default: "envoy", help: "The Envoy to run, of version 1.37 or later.")
        flags.text(
            "state-dir", "DIRECTORY", default: "/var/lib/substrate/atenet",
            help: "For the proxy's configuration and temporary files.")
        flags.number(
            "endpoint-port", 0...65535, default: 0,
            help: "Loopback port on which the proxy asks us; 0 lets the system choose.")
    }

    private static func declareLimits(in flags: inout Flags) {
        flags.duration(
            "resume-budget", default: "15s",
            help: "How long a request waits for its actor with all attempts to resume it.")
        flags.number(
            "max-waiting", 1...100_000, default: 10_000,
            help:
                "How many requests may wait for actors at the same time. The proxy and the endpoint are given the connections."
        )
        flags.number(
            "max-waiting-per-actor", 1...100_000, default: 1_000,
            help:
                "How many of them may wait for the same actor, so that one that does not come up leaves room for others."
        )
        flags.duration(
            "address-rest", default: "60s",
            help:
                "The least --address-rest of all atelets. While ateapi does not answer, actors that run are served for three quarters of it; later an address could be another's."
        )
    }
}

extension ProxySettings {
    var logFields: KeyValuePairs<String, JSON> {
        [
            "address": .string(listen ?? ""), "TLS address": .string(tls?.listen ?? ""),
            "address for routers": .string(peers?.listen ?? ""),
            "endpoint": .string(endpoint), "proxy": .string(program),
        ]
    }
}
