internal import GRPC
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// `logs`: what an actor writes, wherever it runs.
enum Logs {
    static let command = Command(
        words: ["logs"], summary: "shows what an actor writes to its standard output and error",
        details: """
            The node of a running actor keeps the last of its output: 512 KiB, of each stay on a worker. With -f, it goes on with
            what is written from now on, wherever the actor is moved, and waits while it does not run; until it is deleted.

            What is written is shown byte for byte, both streams in one; lines of more than 16 KiB in pieces. Where something is
            missing, standard error says so. When the API goes away it is tried again, and goes on with the first line that
            has not been shown; what was written during a stay on a worker that has begun and ended meanwhile is not shown.
            """,
        examples: ["logs alice", "logs actor alice -f --tail 20", "logs alice -a team-a -f --timestamps --prefix"],
        flags: { flags in
            flags.toggle("follow", short: "f", help: "Go on with what is written from now on.")
            flags.number(
                "tail", -1...1_000_000, default: -1,
                help: "How many of the lines that are kept come first; -1 for all, 0 for none.")
            flags.toggle("timestamps", help: "Begin each line with its time, by the clock of the node.")
            flags.toggle("prefix", help: "Begin each line with the worker's pod and the container.")
            SharedFlags.atespace(&flags)
            SharedFlags.timeout(&flags)
        },
        action: .actor { name, invocation in
            let values = invocation.values
            let tail = try values.number("tail")
            let printer = LogPrinter(
                terminal: invocation.terminal, showsTime: values.isSet("timestamps"), showsPlace: values.isSet("prefix")
            )
            var loop = LogLoop(
                try APIClient(invocation),
                ActorLogsRequest(
                    actor: ActorRef(atespace: invocation.atespace, name: name), follow: values.isSet("follow"),
                    tail: tail < 0 ? nil : tail),
                printer)
            try await loop.run()
        })
}

/// Reads the output of an actor, and takes it up again where it broke off.
private struct LogLoop {
    private let api: APIClient
    private var request: ActorLogsRequest
    private let printer: LogPrinter
    private var connection: Reconnection

    init(_ api: APIClient, _ request: ActorLogsRequest, _ printer: LogPrinter) {
        self.api = api
        self.request = request
        self.printer = printer
        connection = Reconnection(
            "the output", of: WatchMethods.actorLogs.method, api, complain: printer.terminal.complain)
    }

    /// - Throws: `CommandError`
    mutating func run() async throws {
        while true {
            let started = ContinuousClock.now
            let failure: RPCError
            do {
                let stream = try await api.open(
                    WatchMethods.actorLogs, request, timeout: request.follow ? nil : api.timeout)
                for try await batch in stream {
                    connection.works()
                    try printer.show(batch.lines)
                    request.after = batch.position
                    // From there on everything is wanted.
                    request.tail = nil
                }
                if !request.follow { return }
                failure = .failed(Status(code: .unavailable, message: "the server has ended it"))
            } catch let error as RPCError {
                failure = error
            }
            let canGoOn = request.follow && request.after != nil
            try await Task.sleep(for: try connection.bear(failure, ofAttemptAt: started, canGoOn: canGoOn))
        }
    }
}
