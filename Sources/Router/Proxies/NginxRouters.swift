internal import Foundation
internal import ServiceKit

/// The routers of other machines in nginx's configuration. To those that stand there it resumes TLS sessions, which costs a tenth of a new one; to
/// others it connects all the same.
struct NginxRouters: Sendable {
    /// Included by the configuration.
    let file: String

    /// At most; a list of theirs is small beside the certificates.
    private static let limit = 4096
    private static let interval: Duration = .seconds(2)

    /// Makes the file, with none.
    func prepare() throws { try write([]) }

    /// Adds those that are seen, until the task is cancelled. Who is not seen any more stays: most come back, and each change
    /// of the list has nginx begin anew with its configuration.
    func run(_ known: KnownActors, _ environment: Environment) async {
        var listed: Set<String> = []
        while !Task.isCancelled {
            let routers = known.otherRouters
            if !routers.isSubset(of: listed), listed.count < Self.limit {
                listed.formUnion(routers)
                do { try write(listed.sorted()) } catch {
                    environment.log.warning(
                        "the list of other machines' routers cannot be written, so connections to them cost more",
                        ["file": .string(file), "error": .string("\(error)")])
                }
            }
            try? await environment.clock.sleep(for: Self.interval)
        }
    }

    private func write(_ routers: [String]) throws {
        let upstreams = routers.enumerated().map { "upstream ate_router_\($0) { server \($1); }\n" }
        let names = routers.enumerated().map { "    \"\($1)\" ate_router_\($0);\n" }
        let map = "map $ate_destination $ate_router {\n    default $ate_destination;\n\(names.joined())}\n"
        try Data((upstreams.joined() + map).utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
    }
}
