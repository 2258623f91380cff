import Foundation
import LocalCluster
import ServiceKit

/// `make run`: the system on well-known ports until Ctrl-C.
enum Playground {
    private static let ports = LocalStack.Ports(etcd: 7379, api: 7300, router: 8000)

    static func run() async throws {
        for (name, port) in [("etcd", ports.etcd), ("ateapi", ports.api), ("atenet", ports.router)] {
            if let port, !FreePort.isFree(port) {
                throw ClusterError(
                    "port \(port), which \(name) is to listen on, is taken: is another make run going on?")
            }
        }
        let directory = FileManager.default.currentDirectoryPath + "/.local"
        let stack = try await LocalStack.start(
            directory: directory, programs: AteLocal.programs, ports: ports, addressBlock: 0
        ) { print("starting \($0)") }
        do {
            let manifest = try stack.manifest(of: AteLocal.example)
            _ = try await stack.atectl(["apply", "-f", manifest])
            print(help(stack))
            if let failure = await stack.waitForFailure() { throw ClusterError(failure) }
        } catch {
            await stack.stop()
            throw error
        }
        print("stopping")
        await uncancelled { await stack.stop() }
    }

    private static func statusPages(_ stack: LocalStack) -> String {
        ["ateapi", "atenet"].compactMap { stack.statusAddress(of: $0) }.map { "http://\($0)/statusz" }
            .joined(separator: "  ")
    }

    private static func help(_ stack: LocalStack) -> String {
        """

        Serving:
          control plane  \(stack.apiAddress)   (atectl's default)
          router         \(stack.routerAddress)
          etcd           \(stack.etcdAddress)
          logs           .local/logs
          status pages   \(statusPages(stack))

        Try, in another terminal:
          export PATH=\(AteLocal.programs):$PATH
          atectl create actor alice --template default/counter
          curl -X POST -H 'Host: alice.\("actors.resources.substrate.ate.dev")' http://\(stack.routerAddress)/
          atectl get actors
          atectl get workers
          atectl suspend actor alice
          curl -H 'Host: alice.actors.resources.substrate.ate.dev' http://\(stack.routerAddress)/

        Ctrl-C stops everything.
        """
    }
}
