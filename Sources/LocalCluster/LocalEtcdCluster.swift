package import Etcd

/// Three real etcd servers on loopback that form a cluster.
package final class LocalEtcdCluster: Sendable {
    /// The members.
    package let members: [LocalEtcd]

    private init(members: [LocalEtcd]) { self.members = members }

    /// Starts the members and waits until each answers.
    /// - Parameter arguments: added to those of each member.
    package static func start(directory: String, arguments: [String] = []) async throws -> LocalEtcdCluster {
        let names = ["one", "two", "three"]
        var attempts = 1
        while true {
            let ports = try names.map { _ in try FreePort.find() }
            let cluster = zip(names, ports).map { "\($0)=http://127.0.0.1:\($1)" }.joined(separator: ",")
            var members: [LocalEtcd] = []
            do {
                for (name, port) in zip(names, ports) {
                    var settings = LocalEtcd.Settings()
                    settings.name = name
                    settings.peerPort = port
                    settings.initialCluster = cluster
                    settings.arguments = arguments
                    members.append(try await LocalEtcd.launch(settings, directory: "\(directory)/\(attempts)"))
                }
                for member in members { try await member.waitUntilServing() }
                return LocalEtcdCluster(members: members)
            } catch {
                for member in members { await member.kill() }
                // Somebody else may have taken a port that was free a moment ago.
                if !(error is ClusterError) || attempts == 3 { throw error }
                attempts += 1
            }
        }
    }

    /// `host:port` of each member.
    package var endpoints: [String] { members.map(\.endpoint) }

    /// A client of all members, which uses the first one first.
    package func client(_ options: EtcdOptions = EtcdOptions()) -> EtcdClient {
        EtcdClient(endpoints: endpoints, options: options)
    }

    /// The member behind an endpoint.
    package func member(_ endpoint: String) throws -> LocalEtcd {
        guard let member = members.first(where: { $0.endpoint == endpoint }) else {
            throw ClusterError("no member at \(endpoint)")
        }
        return member
    }

    /// The member that leads now.
    package func leader() async throws -> LocalEtcd {
        for member in members {
            guard let status = try? await member.client().status(), status.leader == status.memberID else { continue }
            return member
        }
        throw ClusterError("no member says that it leads")
    }

    /// Kills all members.
    package func kill() async {
        for member in members {
            member.resume()
            await member.kill()
        }
    }
}
