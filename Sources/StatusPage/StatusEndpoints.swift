package import HTTP
internal import Metrics
internal import ServiceKit
internal import Synchronization

/// `/metrics`, `/healthz`, `/readyz` and `/statusz`: for whoever looks after a program. Nothing can be changed through them.
package final class StatusEndpoints: Sendable {
    let source: StatusSource
    private let streams = Mutex(0)
    /// Whether only names are answered to that cannot be somebody else's: see `isOurs`.
    private let isLocal: Bool

    /// Streams at a time. Each is a page that somebody looks at.
    package static let maximumStreams = 32

    /// - Parameter isLocal: whether it is reached on loopback only.
    package init(_ source: StatusSource, isLocal: Bool) {
        self.source = source
        self.isLocal = isLocal
    }

    package func answer(_ request: HTTPRequest) async -> HTTPAnswer {
        guard isOurs(request.headers["host"] ?? "") else { return .response(plain(421, "not a name of this server")) }
        guard request.method == "GET" || request.method == "HEAD" else {
            return .response(plain(405, "only GET and HEAD", ["Allow": "GET, HEAD"]))
        }
        switch request.path {
        case "/metrics":
            return .response(
                whole(200, MetricRegistry.contentType, source.metrics.exposition))
        case "/healthz": return .response(check("not well", source.faults()))
        case "/readyz": return .response(check("not ready", source.faults() + source.hindrances()))
        case "/": return .response(plain(302, "see /statusz", ["Location": "/statusz"]))
        case "/statusz", "/statusz/events":
            guard let query = query(request) else {
                let rule =
                    "format must be json or html, limit a number from 1 to \(StatusQuery.maximumLimit), filter at most \(StatusQuery.maximumFilter) bytes"
                return .response(plain(400, rule))
            }
            return request.path == "/statusz" ? .response(await status(request, query)) : events(query)
        default: return .response(plain(404, "there are /metrics, /healthz, /readyz and /statusz"))
        }
    }

    /// Takes a place for one more stream, if there is one.
    func takePlace() -> Bool {
        streams.withLock { streams in
            if streams >= Self.maximumStreams { return false }
            streams += 1
            return true
        }
    }

    func giveBackPlace() { streams.withLock { $0 -= 1 } }

    private func status(_ request: HTTPRequest, _ query: StatusQuery) async -> HTTPResponse {
        let wantsJSON =
            request.query["format"].map { $0 == "json" }
            ?? (request.headers["accept"] ?? "").split(separator: ",").contains {
                $0.split(separator: ";").first?.contains("application/json") == true
            }
        if wantsJSON {
            let report = await source.report(query)
            return whole(
                200, "application/json",
                report.json(at: source.environment.wallClock()).text(indentation: 2) + "\n")
        }
        let nonce = source.environment.chance.id()
        return whole(
            200, "text/html; charset=utf-8", PageText.html(nonce: nonce),
            [
                // Nothing is loaded but what the page itself asks this server for, and nothing runs but what it brings.
                "Content-Security-Policy":
                    "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; img-src data:; "
                    + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                "Referrer-Policy": "no-referrer",
            ])
    }

    private func query(_ request: HTTPRequest) -> StatusQuery? {
        let filter = request.query["filter"] ?? ""
        let limit = request.query["limit"].map { Int($0) } ?? StatusQuery.defaultLimit
        guard ["json", "html"].contains(request.query["format"] ?? "json"),
            filter.utf8.count <= StatusQuery.maximumFilter,
            let limit, (1...StatusQuery.maximumLimit).contains(limit)
        else { return nil }
        return StatusQuery(filter: filter, limit: limit)
    }

    /// A page of the web can have its own name resolve to our address, and then ask us as if we were its server. So who is
    /// reached on loopback answers only to the address, and to the name that is always ours.
    private func isOurs(_ host: String) -> Bool {
        guard isLocal else { return true }
        let name = host.split(separator: ":", omittingEmptySubsequences: false).first ?? ""
        return name == "localhost" || Loopback.contains("\(name):0")
    }

    private func check(_ what: String, _ reasons: [String]) -> HTTPResponse {
        reasons.isEmpty ? plain(200, "ok") : plain(503, "\(what): \(reasons.joined(separator: "; "))")
    }

    private func plain(_ status: Int, _ line: String, _ headers: [String: String] = [:]) -> HTTPResponse {
        whole(status, "text/plain; charset=utf-8", line + "\n", headers)
    }

    private func whole(
        _ status: Int, _ type: String, _ body: String, _ headers: [String: String] = [:]
    ) -> HTTPResponse {
        HTTPResponse(
            status: status,
            headers: headers.merging(Self.always) { $1 }.merging(["Content-Type": type]) { $1 },
            body: Array(body.utf8))
    }

    static let always = ["Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"]
}
