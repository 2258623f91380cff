internal import GRPC
internal import ProgramKit
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// One invocation: the flags, the operands behind the verb, and the way to the API.
struct CommandContext {
    let values: Flags.Values
    /// What follows the verb.
    var operands: [String]
    private let channel: Channel
    private let headers: @Sendable () -> Metadata
    private let timeout: Duration

    init(values: Flags.Values) throws(FlagError) {
        self.values = values
        operands = Array(values.operands.dropFirst())
        let endpoint = try values.text("endpoint")
        let credentials = try TLSFlags.client("api", values)
        channel = Channel(target: endpoint, credentials: credentials)
        headers = try TokenFlag.headers("api", values, to: endpoint, over: credentials)
        timeout = try values.duration("timeout")
    }

    func call<Request, Response>(_ rpc: RPC<Request, Response>, _ request: Request) async throws -> Response {
        do {
            return try await channel.call(rpc, request, metadata: headers(), timeout: timeout)
        } catch {
            if error.code == .unavailable {
                throw CommandError(
                    "the API at \(channel.target) is unavailable: \(error.status.message) (is ateapi running there? see --endpoint)"
                )
            }
            throw CommandError("\(error.status.message) (\(error.code.name))")
        }
    }

    var atespace: String { values.optional("atespace") ?? Atespace.defaultName }
    var isEverywhere: Bool { values.isSet("all-atespaces") }

    func show(_ listing: Listing) { print(listing.text(values.optional("output") ?? "table"), terminator: "") }

    /// The kind of thing that the verb is about, singular.
    mutating func takeKind(_ kinds: [String], verb: String) throws(FlagError) -> String {
        guard !operands.isEmpty else { throw FlagError("\(verb) what? One of: \(kinds.joined(separator: ", "))") }
        let given = operands.removeFirst()
        let singular = given.hasSuffix("s") ? String(given.dropLast()) : given
        guard kinds.contains(singular) else {
            throw FlagError("\(verb) \(given): there is no such thing; one of: \(kinds.joined(separator: ", "))")
        }
        return singular
    }

    /// The one name that has to follow.
    mutating func takeName(_ what: String) throws(FlagError) -> String {
        guard !operands.isEmpty else { throw FlagError("the name of the \(what) is missing") }
        let name = operands.removeFirst()
        try refuseMore()
        return name
    }

    func refuseMore() throws(FlagError) {
        if let first = operands.first { throw FlagError("unexpected argument \(first)") }
    }

    /// `namespace/name`, or a name of the namespace default.
    static func pair(_ text: String, _ what: String) throws(FlagError) -> (namespace: String, name: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        switch parts.count {
        case 1 where !parts[0].isEmpty: return ("default", parts[0])
        case 2 where !parts[0].isEmpty && !parts[1].isEmpty: return (parts[0], parts[1])
        default: throw FlagError("\(what) \(text): must be <namespace>/<name>")
        }
    }
}

/// What a command could not do, in one line.
struct CommandError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
