internal import HTTP
package import LocalCluster

/// How many calls a server of etcd has answered, as it counts them itself.
package struct EtcdMetrics: Sendable, Equatable {
    package var ranges: Int
    package var transactions: Int
    package var puts: Int
    package var deletes: Int

    package init(ranges: Int, transactions: Int, puts: Int = 0, deletes: Int = 0) {
        self.ranges = ranges
        self.transactions = transactions
        self.puts = puts
        self.deletes = deletes
    }

    package static func read(_ etcd: LocalEtcd) async throws -> EtcdMetrics {
        let response = try await HTTPClient.send("GET", "http://\(etcd.endpoint)/metrics", timeout: .seconds(5))
        func handled(_ method: String) -> Int {
            response.text.split(separator: "\n").filter {
                $0.hasPrefix("grpc_server_handled_total{") && $0.contains("grpc_method=\"\(method)\"")
            }.reduce(0) { $0 + (Double($1.split(separator: " ").last ?? "0").map { Int($0) } ?? 0) }
        }
        return EtcdMetrics(
            ranges: handled("Range"), transactions: handled("Txn"), puts: handled("Put"),
            deletes: handled("DeleteRange"))
    }

    /// How many watches the server has open.
    package static func watchers(_ etcd: LocalEtcd) async throws -> Int {
        try await value("etcd_debugging_mvcc_watcher_total", of: etcd)
    }

    /// What its database takes on the disk.
    package static func databaseBytes(_ etcd: LocalEtcd) async throws -> Int {
        try await value("etcd_mvcc_db_total_size_in_bytes", of: etcd)
    }

    /// What it holds in memory.
    package static func residentBytes(_ etcd: LocalEtcd) async throws -> Int {
        try await value("process_resident_memory_bytes", of: etcd)
    }

    /// -1 when it says nothing of it.
    private static func value(_ name: String, of etcd: LocalEtcd) async throws -> Int {
        let response = try await HTTPClient.send("GET", "http://\(etcd.endpoint)/metrics", timeout: .seconds(5))
        let line = response.text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
        return line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) }.map { Int($0) } ?? -1
    }

    package static func - (left: EtcdMetrics, right: EtcdMetrics) -> EtcdMetrics {
        EtcdMetrics(
            ranges: left.ranges - right.ranges, transactions: left.transactions - right.transactions,
            puts: left.puts - right.puts, deletes: left.deletes - right.deletes)
    }
}
