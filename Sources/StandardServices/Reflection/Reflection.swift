package import GRPC
internal import SubstrateAPI

/// gRPC's server reflection: what a tool like grpcurl asks for to call methods without proto files.
package struct Reflection: Sendable {
    /// Lets a call in, or throws the status to refuse it with.
    package typealias Admission = @Sendable (ServerCall) async throws -> Void

    private let services: [String]
    private let admit: Admission
    private let index = DescriptorIndex.published

    /// - Parameter methods: those of the server, whose services it lists.
    package init(of methods: [ServerMethod], admit: @escaping Admission) {
        services = Set(methods.map(\.method.service) + Reflection.names).sorted()
        self.admit = admit
    }

    /// The service under both of its names, whose messages are the same.
    package var methods: [ServerMethod] {
        Reflection.names.map { name in
            .stream(Method("/\(name)/ServerReflectionInfo")) { stream, call in
                try await admit(call)
                while let message = try await stream.receive() {
                    let request: ReflectionRequest
                    do {
                        request = try ReflectionRequest(message)
                    } catch {
                        throw Status(code: .invalidArgument, message: "\(error)")
                    }
                    try await stream.send(ReflectionResponse(request: request, answer: answer(request)).message)
                }
            }
        }
    }

    private static let names = ["v1", "v1alpha"].map { "grpc.reflection.\($0).ServerReflection" }

    private func answer(_ request: ReflectionRequest) -> ReflectionResponse.Answer {
        switch request.question {
        case .file(let name):
            return index.file(named: name).map { .files($0) } ?? .notFound("there is no file \(name.prefix(256)) here")
        case .symbol(let symbol):
            return index.file(declaring: symbol).map { .files($0) }
                ?? .notFound("\(symbol.prefix(256)) is not declared here")
        case .extensionNumbers(let type):
            // The published files declare no extensions.
            return index.messages.contains(type)
                ? .extensionNumbers(of: type) : .notFound("there is no message \(type.prefix(256)) here")
        case .extension(let type, let number):
            return .notFound("there is no extension \(number) of \(type.prefix(256)) here")
        case .services: return .services(services)
        case nil: return .invalid("the request asks for nothing that is known here")
        }
    }
}
