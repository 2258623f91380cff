/// What a worker's SPIFFE ID says of it: `spiffe://<trust domain>/ns/<namespace>/pool/<pool>/worker/<pod>`.
package struct WorkerName: Sendable, Equatable {
    package var namespace: String
    package var pool: String
    package var pod: String

    /// Nil for anything else.
    package init?(spiffeID: String, trustDomain: String) {
        let prefix = "spiffe://\(trustDomain)/"
        guard spiffeID.utf8.starts(with: prefix.utf8) else { return nil }
        let parts = spiffeID.dropFirst(prefix.count).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "ns", parts[2] == "pool", parts[4] == "worker",
            ![parts[1], parts[3], parts[5]].contains("")
        else { return nil }
        (namespace, pool, pod) = (String(parts[1]), String(parts[3]), String(parts[5]))
    }
}

extension Identity {
    /// The worker that this is the identity of, by the one URI of its certificate or the subject of its token. Nil for
    /// anybody else, and for somebody who claims to be several.
    package func worker(trustDomain: String) -> WorkerName? {
        let workers = names.compactMap { name -> WorkerName? in
            guard let kind = ["URI:", "sub:"].first(where: name.hasPrefix) else { return nil }
            return WorkerName(spiffeID: String(name.dropFirst(kind.count)), trustDomain: trustDomain)
        }
        return workers.count == 1 ? workers[0] : nil
    }
}
