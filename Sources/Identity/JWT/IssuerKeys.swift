internal import ServiceKit

/// The keys of an OpenID Connect issuer, cached. When they cannot be fetched again, the last good ones stay.
actor IssuerKeys: TokenKeys {
    /// Seconds after which keys are fetched again.
    static let refreshAfter: Int64 = 300
    /// Seconds from one attempt to the next: for a key that nobody knows, and while the issuer does not answer.
    static let retryAfter: Int64 = 10

    private let issuer: String
    private let fetch: @Sendable () async throws(Problem) -> KeySet
    private let now: @Sendable () -> Int64
    private let log: Log
    private var known: KeySet?
    private var lastAttempt: Int64?
    private var hasFailed = false
    private var attempt: Task<Void, Never>?

    init(
        issuer: String, now: @escaping @Sendable () -> Int64, log: Log,
        fetch: @escaping @Sendable () async throws(Problem) -> KeySet
    ) {
        self.issuer = issuer
        self.now = now
        self.log = log
        self.fetch = fetch
    }

    func keys(forID id: String) async throws(Problem) -> KeySet {
        let isKnown = known?.contains(id) ?? false
        if !isKnown {
            await refresh(after: IssuerKeys.retryAfter)
        } else if hasFailed {
            // Nobody waits for an issuer that is known not to answer.
            beginRefresh(after: IssuerKeys.retryAfter)
        } else {
            await refresh(after: IssuerKeys.refreshAfter)
        }
        guard let known else { throw Problem("the keys of its issuer are not available") }
        return known
    }

    private func refresh(after seconds: Int64) async {
        beginRefresh(after: seconds)
        await attempt?.value
    }

    /// Starts an attempt unless one is under way, or the last one is more recent than `seconds`.
    private func beginRefresh(after seconds: Int64) {
        let time = now()
        // A clock that was set back is no reason to wait.
        if attempt != nil || lastAttempt.map({ (0..<seconds).contains(time - $0) }) ?? false { return }
        lastAttempt = time
        // It serves everybody who waits, so it must not end with the call that happened to start it. The fetch is bounded.
        attempt = Task { await fetchOnce() }
    }

    private func fetchOnce() async {
        defer { attempt = nil }
        do throws(Problem) {
            known = try await fetch()
            hasFailed = false
        } catch {
            hasFailed = true
            log.error(
                "cannot fetch the keys of the issuer of tokens",
                [
                    "issuer": .string(issuer), "problem": .string(error.description),
                    "keepsOldKeys": .boolean(known != nil),
                ])
        }
    }
}
