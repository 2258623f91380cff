internal import HTTP
internal import ServiceKit

/// The live part of `/statusz`: server-sent events with the report, whenever it has changed.
extension StatusEndpoints {
    /// After a change the next one waits this long, so that a busy program is not kept busier by who watches it.
    private static var calm: Duration { .milliseconds(500) }
    /// How often to look at what changes without saying so.
    private static var interval: Duration { .seconds(2) }
    /// How often something is sent although nothing has changed: the page sees that it is live, and we that it is there.
    private static var heartbeat: Duration { .seconds(10) }
    /// How long a client may take to read one report.
    private static var patience: Duration { .seconds(10) }
    /// After which the browser opens another.
    private static var lifetime: Duration { .seconds(3600) }

    func events(_ query: StatusQuery) -> HTTPAnswer {
        let head = HTTPResponse(
            status: 200, headers: Self.always.merging(["Content-Type": "text/event-stream"]) { $1 })
        return .stream(head, lifetime: Self.lifetime) { [self] writer in
            guard takePlace() else {
                // A stream that ends would be opened again at once.
                return try await writer.write(event("full", "{}", retry: .seconds(30)), within: Self.patience)
            }
            defer { giveBackPlace() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                let wake = Signal()
                group.addTask { [source] in for await _ in source.changes() { wake.fire() } }
                group.addTask { [source] in
                    while true {
                        wake.fire()
                        try await source.environment.clock.sleep(for: Self.interval)
                    }
                }
                group.addTask { [self] in try await send(query, to: writer, wake) }
                defer { group.cancelAll() }
                try await group.next()
            }
        }
    }

    private func send(_ query: StatusQuery, to writer: HTTPStreamWriter, _ wake: Signal) async throws {
        let clock = source.environment.clock
        var last = ""
        var sinceLast = clock.timer()
        for await _ in wake.wakeUps {
            let report = await source.report(query)
            let text = JSON.object(report.members).text()
            if text != last {
                last = text
                sinceLast = clock.timer()
                let now = source.environment.wallClock()
                try await writer.write(event("status", report.json(at: now).text()), within: Self.patience)
            } else if sinceLast() >= Self.heartbeat {
                sinceLast = clock.timer()
                try await writer.write(event("beat", "{}"), within: Self.patience)
            }
            try await clock.sleep(for: Self.calm)
        }
    }

    /// JSON on one line has no line end that would end the event.
    private func event(_ name: String, _ json: String, retry: Duration = .seconds(2)) -> [UInt8] {
        Array("event: \(name)\nretry: \(Int(retry / .milliseconds(1)))\ndata: \(json)\n\n".utf8)
    }
}
