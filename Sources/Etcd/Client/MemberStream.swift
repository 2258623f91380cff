internal import GRPC
internal import Synchronization

/// A stream to one member that many tasks share: any of them may post a message without waiting, one loop sends and one
/// receives.
final class MemberStream: Sendable {
    let member: Member
    private let procedure: Procedure
    private let core: EtcdCore
    private let headers: Authenticator.Headers
    private let call: BidirectionalCall
    private let posted = Mutex<[Message]>([])
    private let news: AsyncStream<Void>
    private let hasNews: AsyncStream<Void>.Continuation
    private let failure = Mutex<EtcdError?>(nil)

    /// Opens a stream to the member that is in use.
    init(_ procedure: Procedure, _ core: EtcdCore) async throws(EtcdError) {
        self.procedure = procedure
        self.core = core
        headers = try await core.authenticator.headers(core)
        member = core.endpoints.current
        do {
            call = try member.channel.stream(procedure.method, metadata: headers.withLeader)
        } catch {
            throw EtcdError(error, operation: procedure.name, endpoint: member.endpoint, isWrite: false)
        }
        // One waiting signal stands for any number of messages.
        (news, hasNews) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        core.options.hooks.measure?(.streamOpened(method: procedure.name, endpoint: member.endpoint))
    }

    /// Leaves a message to be sent. How many wait is bounded by how many watches or leases there are.
    func post(_ message: Message) {
        posted.withLock { $0.append(message) }
        hasNews.yield()
    }

    /// Ends the stream for this reason.
    func fail(_ error: EtcdError) {
        failure.withLock { $0 = $0 ?? error }
        call.cancel()
    }

    /// Sends and receives until the stream fails, or something that runs beside it does, or the task is cancelled.
    /// - Returns: why it ended.
    func run(
        beside: @escaping @Sendable () async throws -> Void = {}, receive: @escaping @Sendable (Message) throws -> Void
    ) async -> EtcdError {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await self.sendPosted() }
                group.addTask { try await self.receiveAll(receive) }
                group.addTask { try await beside() }
                // The first failure ends the others. None of them ends without one, but for "beside".
                while try await group.next() != nil {}
            }
            return error(.unavailable, "the server ended the stream")
        } catch {
            call.cancel()
            return failure.withLock { $0 } ?? describe(error)
        }
    }

    /// An error of this stream.
    func error(_ code: EtcdError.Code, _ text: String) -> EtcdError {
        EtcdError(code, procedure.name, member.endpoint, text)
    }

    private func sendPosted() async throws {
        for await _ in news {
            let messages = posted.withLock { messages in
                defer { messages = [] }
                return messages
            }
            for message in messages { try await call.send(message) }
        }
        throw CancellationError()
    }

    private func receiveAll(_ receive: (Message) throws -> Void) async throws {
        while let message = try await call.receive() { try receive(message) }
        throw error(.unavailable, "the server ended the stream")
    }

    private func describe(_ reason: any Error) -> EtcdError {
        switch reason {
        case let reason as EtcdError: return reason
        case let reason as RPCError: return core.failure(reason, procedure.name, member, headers)
        case is CancellationError: return error(.cancelled, "the task was cancelled")
        default: return error(.other, "the response cannot be read: \(reason)")
        }
    }
}
