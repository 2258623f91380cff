import Foundation
import GRPC
import HTTP
import Router
import ServiceKit
import TestKit
import Testing

/// The socket at which the proxy asks.
@Suite struct EndpointSocketTests {
    private let endpoint = ResolveEndpoint(
        resolver: ActorResolver(
            channel: Channel(target: "127.0.0.1:1", credentials: .insecure), environment: .test()))

    private func settings(_ directory: String) -> ProxySettings {
        ProxySettings(listen: nil, directory: directory, program: "nginx")
    }

    @Test func whatAnEarlierProcessHasLeftIsReplacedAndOneThatListensIsLeftAlone() async throws {
        let directory = TemporaryDirectory()
        let settings = settings(directory.path + "/made")
        try FileManager.default.createDirectory(atPath: settings.directory, withIntermediateDirectories: true)
        try Data().write(to: URL(filePath: settings.endpoint))
        let server = try endpoint.server(settings)
        try await running(server.run) {
            let mode = try FileManager.default.attributesOfItem(atPath: settings.endpoint)[.posixPermissions] as? Int
            #expect(mode == (geteuid() == 0 ? 0o666 : 0o600))
            let error = #expect(throws: HTTPError.self) { try endpoint.server(settings) }
            #expect(error?.description == "cannot listen on \(settings.endpoint): another process does")
        }
        // Who ends takes it away.
        #expect(!FileManager.default.fileExists(atPath: settings.endpoint))
    }

    @Test func aDirectoryWhosePathIsTooLongIsRefusedWithTheReason() throws {
        let directory = TemporaryDirectory()
        let settings = settings("\(directory.path)/\(String(repeating: "a", count: 100))")
        let error = #expect(throws: HTTPError.self) { try endpoint.server(settings) }
        #expect(error?.description.contains("the path of a socket has at most 107 bytes") == true)
    }
}
