internal import ServiceKit

/// Certificates, as Envoy takes them from files, and where it uses them.
extension EnvoyConfiguration {
    /// The certificates by their names, each as Envoy takes it from a file.
    static func secrets(_ settings: ProxySettings, read: (String) throws -> String) throws -> [String: JSON] {
        func inline(_ path: String) throws -> JSON { .object([("inline_string", .string(try read(path)))]) }
        func certificate(_ chain: String, _ key: String) throws -> (String, JSON) {
            let fields = [("certificate_chain", try inline(chain)), ("private_key", try inline(key))]
            return ("tls_certificate", .object(fields))
        }
        func authorities(_ path: String, _ names: [JSON] = []) throws -> (String, JSON) {
            let fields = [("trusted_ca", try inline(path)), ("match_typed_subject_alt_names", .array(names))]
            return ("validation_context", .object(fields))
        }
        var secrets: [String: (String, JSON)] = [:]
        if let tls = settings.tls {
            secrets["certificate"] = try certificate(tls.certificate, tls.privateKey)
            secrets["clients"] = try tls.clientAuthorities.map { try authorities($0) }
        }
        if let tls = settings.peers?.tls {
            let name = JSON.object([
                ("san_type", "DNS"), ("matcher", .object([("exact", .string(tls.serverName))])),
            ])
            secrets["router"] = try certificate(tls.certificate, tls.privateKey)
            secrets["peers"] = try authorities(tls.authorities)
            secrets["routers"] = try authorities(tls.authorities, [name])
        }
        return Dictionary(
            uniqueKeysWithValues: secrets.map { name, secret in
                let resource = typed(
                    "extensions.transport_sockets.tls.v3.Secret", [("name", .string(name)), secret])
                return (name, .object([("resources", [resource])]))
            })
    }

    func serving(_ certificate: String, verifying authorities: String?) -> JSON {
        transport(
            "DownstreamTlsContext", certificate, authorities,
            [("require_client_certificate", .boolean(authorities != nil))])
    }

    func transport(
        _ context: String, _ certificate: String, _ authorities: String?, _ fields: [(String, JSON)]
    ) -> JSON {
        func secret(_ name: String) -> JSON {
            let file = JSON.string(Self.file(of: name, in: settings.directory))
            let source = JSON.object([
                ("path_config_source", .object([("path", file)])), ("resource_api_version", "V3"),
            ])
            return .object([("name", .string(name)), ("sds_config", source)])
        }
        var common: [(String, JSON)] = [
            ("alpn_protocols", ["http/1.1"]),
            ("tls_params", .object([("tls_minimum_protocol_version", "TLSv1_2")])),
            ("tls_certificate_sds_secret_configs", [secret(certificate)]),
        ]
        if let authorities { common.append(("validation_context_sds_secret_config", secret(authorities))) }
        return .object([
            ("name", "envoy.transport_sockets.tls"),
            (
                "typed_config",
                typed(
                    "extensions.transport_sockets.tls.v3.\(context)",
                    [("common_tls_context", .object(common))] + fields)
            ),
        ])
    }
}
