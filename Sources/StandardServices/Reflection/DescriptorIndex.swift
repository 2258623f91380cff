internal import CMessages
internal import Protobuf

/// The published proto files, by name and by what is declared in them.
struct DescriptorIndex: Sendable {
    /// What the build has put into the program; it is read once.
    static let published: DescriptorIndex = {
        var count = 0
        let start = substrate_descriptors(&count)
        // What cannot be read has no files: every question is then answered with NOT_FOUND.
        return (try? DescriptorIndex(UnsafeRawBufferPointer(start: start, count: count))) ?? DescriptorIndex()
    }()

    private struct File {
        var bytes: [UInt8]
        var imports: [String]
    }

    private var files: [String: File] = [:]
    /// The file that declares each full name.
    private var declarations: [String: String] = [:]
    private(set) var messages: Set<String> = []

    init() {}

    /// - Parameter bytes: a `google.protobuf.FileDescriptorSet`.
    init(_ bytes: UnsafeRawBufferPointer) throws {
        let files = try unpack(Grpc__Reflection__FileDescriptorSet.self, from: bytes) { set in
            UnsafeBufferPointer(start: set.file, count: set.n_file).map(\.array)
        }
        for file in files { try add(file) }
    }

    /// The file and, behind it, all that it imports directly or not; nil when there is no such file.
    func file(named name: String) -> [[UInt8]]? {
        guard files[name] != nil else { return nil }
        var order = [name]
        var next = 0
        while next < order.count {
            for imported in files[order[next]]?.imports ?? [] where !order.contains(imported) { order.append(imported) }
            next += 1
        }
        return order.compactMap { files[$0]?.bytes }
    }

    /// The file that declares the symbol, as `file(named:)` gives it.
    func file(declaring symbol: String) -> [[UInt8]]? { declarations[symbol].flatMap(file(named:)) }

    private mutating func add(_ bytes: [UInt8]) throws {
        let (name, imports, symbols, messages) = try bytes.withUnsafeBytes { bytes in
            try unpack(Grpc__Reflection__FileDescriptor.self, from: bytes) { file in
                var symbols = Symbols()
                let scope = try file.package.text("package")
                try symbols.add(
                    messages: file.message_type, count: file.n_message_type, in: scope)
                try symbols.add(enums: file.enum_type, count: file.n_enum_type, in: scope)
                try symbols.add(services: file.service, count: file.n_service, in: scope)
                return (
                    try file.name.text("name"), try texts(file.dependency, count: file.n_dependency, "dependency"),
                    symbols.all, symbols.messages
                )
            }
        }
        files[name] = File(bytes: bytes, imports: imports)
        for symbol in symbols { declarations[symbol] = name }
        self.messages.formUnion(messages)
    }
}

/// The full names of what a file declares.
private struct Symbols {
    var all: [String] = []
    var messages: [String] = []

    mutating func add(
        messages: UnsafeMutablePointer<UnsafeMutablePointer<Grpc__Reflection__MessageDescriptor>?>?, count: Int,
        in scope: String
    ) throws {
        for pointer in UnsafeBufferPointer(start: messages, count: count) {
            guard let message = pointer?.pointee else { continue }
            let name = try declare(message.name.text("name"), in: scope)
            self.messages.append(name)
            for field in UnsafeBufferPointer(start: message.field, count: message.n_field) {
                if let field { _ = try declare(field.pointee.name.text("name"), in: name) }
            }
            try add(messages: message.nested_type, count: message.n_nested_type, in: name)
            try add(enums: message.enum_type, count: message.n_enum_type, in: name)
        }
    }

    mutating func add(
        enums: UnsafeMutablePointer<UnsafeMutablePointer<Grpc__Reflection__EnumDescriptor>?>?, count: Int,
        in scope: String
    ) throws {
        for pointer in UnsafeBufferPointer(start: enums, count: count) {
            guard let declared = pointer?.pointee else { continue }
            _ = try declare(declared.name.text("name"), in: scope)
            // Values belong to the scope around the enum, as in C.
            for value in UnsafeBufferPointer(start: declared.value, count: declared.n_value) {
                if let value { _ = try declare(value.pointee.name.text("name"), in: scope) }
            }
        }
    }

    mutating func add(
        services: UnsafeMutablePointer<UnsafeMutablePointer<Grpc__Reflection__ServiceDescriptor>?>?, count: Int,
        in scope: String
    ) throws {
        for pointer in UnsafeBufferPointer(start: services, count: count) {
            guard let service = pointer?.pointee else { continue }
            let name = try declare(service.name.text("name"), in: scope)
            for method in UnsafeBufferPointer(start: service.method, count: service.n_method) {
                if let method { _ = try declare(method.pointee.name.text("name"), in: name) }
            }
        }
    }

    private mutating func declare(_ name: String, in scope: String) -> String {
        let name = scope.isEmpty ? name : "\(scope).\(name)"
        all.append(name)
        return name
    }
}
