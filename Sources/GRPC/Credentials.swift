internal import CGRPC

/// Where a side of a TLS connection has its certificates: PEM files, which are read again when they change. Connections
/// that exist go on with what they began with.
public struct TLSFiles: Sendable, Equatable {
    /// The certificates of the authorities that the other side's certificate has to come from; nil for the system's.
    public var authorities: String?
    /// The own certificate with its chain. Has to be set together with `privateKey`.
    public var certificate: String?
    /// The key of the own certificate.
    public var privateKey: String?
    /// How often the files are looked at; whole seconds, at least one. 10 s is long before any rotation is over.
    public var refreshInterval: Duration = .seconds(10)

    /// Names the files; the own certificate is for servers, and for clients that have to show one.
    public init(authorities: String?, certificate: String? = nil, privateKey: String? = nil) {
        self.authorities = authorities
        self.certificate = certificate
        self.privateKey = privateKey
    }
}

/// How a channel proves who it is and checks whom it talks to.
public enum ChannelCredentials: Sendable, Equatable {
    /// No TLS: for loopback, and for tests.
    case insecure
    /// TLS. The server has to prove that it is `serverName`, or when that is nil the host it was reached by.
    case tls(TLSFiles, serverName: String? = nil)
}

/// How a server proves who it is and whom it lets in.
public enum ServerCredentials: Sendable, Equatable {
    /// What clients have to show.
    public enum ClientCertificate: Sendable, Equatable {
        /// They are not asked for one.
        case none
        /// One that is shown has to come from the authorities.
        case verifiedIfGiven
        /// There has to be one, from the authorities.
        case required
    }

    /// No TLS: for loopback, and for tests.
    case insecure
    /// TLS with the files' own certificate. With `clients` other than `.none`, their authorities are who signs the clients'.
    case tls(TLSFiles, clients: ClientCertificate = .none)
}

extension ServerCredentials {
    /// The core's object, to be released by the caller.
    func makeCore() -> OpaquePointer? {
        switch self {
        case .insecure: return grpc_insecure_server_credentials_create()
        case .tls(let files, let clients):
            guard let options = files.makeOptions() else { return nil }
            let request =
                switch clients {
                case .none: GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                case .verifiedIfGiven: GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY
                case .required: GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                }
            grpc_tls_credentials_options_set_cert_request_type(options, request)
            // Takes the options over.
            return grpc_tls_server_credentials_create(options)
        }
    }

    var hasClientCertificates: Bool {
        if case .tls(_, let clients) = self { clients != .none } else { false }
    }
}

extension ChannelCredentials {
    /// The core's object, to be released by the caller.
    func makeCore() -> OpaquePointer? {
        switch self {
        case .insecure: return grpc_insecure_credentials_create()
        case .tls(let files, _):
            guard let options = files.makeOptions() else { return nil }
            // Takes the options over.
            return grpc_tls_credentials_create(options)
        }
    }

    var serverName: String? { if case .tls(_, let name) = self { name } else { nil } }
}

extension TLSFiles {
    fileprivate func makeOptions() -> OpaquePointer? {
        let options = grpc_tls_credentials_options_create()
        if authorities != nil || certificate != nil {
            let provider = grpc_tls_certificate_provider_file_watcher_create(
                privateKey, certificate, authorities, UInt32(max(1, refreshInterval.components.seconds)))
            grpc_tls_credentials_options_set_certificate_provider(options, provider)
            grpc_tls_certificate_provider_release(provider)
        }
        if authorities != nil { grpc_tls_credentials_options_watch_root_certs(options) }
        if certificate != nil { grpc_tls_credentials_options_watch_identity_key_cert_pairs(options) }
        return options
    }
}
