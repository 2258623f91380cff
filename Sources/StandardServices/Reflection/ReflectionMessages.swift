internal import CMessages
internal import GRPC
internal import Protobuf

struct ReflectionRequest: Sendable, Equatable {
    enum Question: Sendable, Equatable {
        case file(named: String)
        case symbol(String)
        case `extension`(of: String, number: Int32)
        case extensionNumbers(of: String)
        case services
    }

    var question: Question?
    /// As it came, since it goes back with the response.
    let bytes: [UInt8]

    init(_ message: Message) throws {
        bytes = message.bytes
        question = try message.unpack(Grpc__Reflection__V1__ServerReflectionRequest.self) { request in
            switch request.message_request_case {
            case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
                .file(named: try request.file_by_filename.text("file_by_filename"))
            case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
                .symbol(try request.file_containing_symbol.text("file_containing_symbol"))
            case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
                try request.file_containing_extension.map {
                    .extension(
                        of: try $0.pointee.containing_type.text("containing_type"), number: $0.pointee.extension_number)
                }
            case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
                .extensionNumbers(
                    of: try request.all_extension_numbers_of_type.text("all_extension_numbers_of_type"))
            case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES: .services
            default: nil
            }
        }
    }
}

struct ReflectionResponse: Sendable {
    enum Answer: Sendable, Equatable {
        /// The one asked for first.
        case files([[UInt8]])
        /// None: the published files declare no extensions.
        case extensionNumbers(of: String)
        case services([String])
        case notFound(String)
        case invalid(String)
    }

    var request: ReflectionRequest
    var answer: Answer

    var message: Message {
        Message.packing(Grpc__Reflection__V1__ServerReflectionResponse.self) { response, arena in
            response.original_request = arena.bytes(request.bytes)
            switch answer {
            case .files(let files):
                response.message_response_case =
                    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE
                response.file_descriptor_response = arena.message {
                    $0.n_file_descriptor_proto = files.count
                    $0.file_descriptor_proto = arena.array(files) { arena.bytes($0) }
                }
            case .extensionNumbers(let type):
                response.message_response_case =
                    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE
                response.all_extension_numbers_response = arena.message { $0.base_type_name = arena.bytes(type) }
            case .services(let services):
                response.message_response_case =
                    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE
                response.list_services_response = arena.message { list in
                    (list.n_service, list.service) = arena.repeated(services) { $1.name = arena.bytes($0) }
                }
            case .notFound(let reason): fill(&response, .notFound, reason, arena)
            case .invalid(let reason): fill(&response, .invalidArgument, reason, arena)
            }
        }
    }

    private func fill(
        _ response: inout Grpc__Reflection__V1__ServerReflectionResponse, _ code: StatusCode, _ reason: String,
        _ arena: Arena
    ) {
        response.message_response_case =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE
        response.error_response = arena.message {
            $0.error_code = Int32(code.rawValue)
            $0.error_message = arena.bytes(reason)
        }
    }
}
