internal import CMessages
package import GRPC
internal import Protobuf
package import ServiceKit
package import SubstrateAPI

/// gRPC's health service, which load balancers and orchestrators ask. It is open to everybody: it says one bit.
package struct Health: Sendable {
    private let readiness: Readiness
    private let services: Set<String>

    /// - Parameter methods: of the services that it speaks for; the readiness is that of all of them.
    package init(of methods: [ServerMethod], _ readiness: Readiness) {
        self.readiness = readiness
        services = Set(methods.map(\.method.service))
    }

    package var methods: [ServerMethod] {
        [
            ServerMethod(HealthMethods.check) { request, _ in
                guard knows(request.service) else {
                    throw Status(code: .notFound, message: "there is no service \(request.service.prefix(128)) here")
                }
                return HealthResponse(status: readiness.isReady ? .serving : .notServing)
            },
            .stream(HealthMethods.watch) { request, writer, _ in
                guard knows(request.service) else {
                    // The protocol wants the stream to stay, since the service may come to be; here none does.
                    try await writer.send(HealthResponse(status: .serviceUnknown))
                    for await _ in AsyncStream<Never>.makeStream().stream {}
                    return
                }
                var last: Bool?
                for await isReady in readiness.values where isReady != last {
                    last = isReady
                    try await writer.send(HealthResponse(status: isReady ? .serving : .notServing))
                }
            },
        ]
    }

    private func knows(_ service: String) -> Bool { service.isEmpty || services.contains(service) }
}

/// The methods of `grpc.health.v1.Health`.
package enum HealthMethods {
    package static let check = RPC<HealthRequest, HealthResponse>("/grpc.health.v1.Health/Check")
    package static let watch = StreamRPC<HealthRequest, HealthResponse>("/grpc.health.v1.Health/Watch")
}

package struct HealthRequest: Sendable, Equatable {
    /// Empty: the server as a whole.
    package var service: String

    package init(service: String = "") { self.service = service }
}

package struct HealthResponse: Sendable, Equatable {
    package enum ServingStatus: Sendable, Equatable {
        case unknown
        case serving
        case notServing
        case serviceUnknown
    }

    package var status: ServingStatus

    package init(status: ServingStatus) { self.status = status }
}

extension HealthRequest: WireMessage {
    package init(_ message: Message) throws {
        service = try message.unpack(Grpc__Health__V1__HealthCheckRequest.self) { try $0.service.text("service") }
    }

    package var message: Message {
        Message.packing(Grpc__Health__V1__HealthCheckRequest.self) { $0.service = $1.bytes(service) }
    }
}

extension HealthResponse: WireMessage {
    package init(_ message: Message) throws {
        status = try message.unpack(Grpc__Health__V1__HealthCheckResponse.self) { response in
            switch response.status {
            case GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING: .serving
            case GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING: .notServing
            case GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN: .serviceUnknown
            default: .unknown
            }
        }
    }

    package var message: Message {
        Message.packing(Grpc__Health__V1__HealthCheckResponse.self) { response, _ in
            response.status =
                switch status {
                case .unknown: GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__UNKNOWN
                case .serving: GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
                case .notServing: GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
                case .serviceUnknown: GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN
                }
        }
    }
}
