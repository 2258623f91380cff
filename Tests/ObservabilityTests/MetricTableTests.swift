import Foundation
import Metrics
import Testing

/// The tables in the documentation, the rules and the dashboard are about the metrics that there are.
@Suite struct MetricTableTests {
    private var repository: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: repository.appendingPathComponent(path), encoding: .utf8)
    }

    /// One row for each metric, with the programs that have it.
    private var rows: [String] {
        var programs: [String: [String]] = [:]
        var definitions: [String: Definition] = [:]
        for (program, own) in AllMetrics.ofEachProgram {
            for definition in own {
                programs[definition.name, default: []].append(program)
                definitions[definition.name] = definition
            }
        }
        return definitions.values.sorted { $0.name < $1.name }.map { definition in
            let labels = definition.labels.map { "`\($0)`" }.joined(separator: ", ")
            let owners = (programs[definition.name] ?? []).joined(separator: ", ")
            return "| `\(definition.name)` | \(definition.kind.rawValue) | \(labels) | \(owners) | \(definition.help) |"
        }
    }

    @Test func everyMetricIsInTheTableAsItIs() throws {
        let documented = try text("docs/metrics.md").split(separator: "\n").map(String.init)
            .filter { row in ["counter", "gauge", "histogram"].contains { row.contains("| \($0) |") } }
        #expect(documented == rows, "the table has to be:\n\(rows.joined(separator: "\n"))")
    }

    @Test func namesFollowTheConventions() {
        for (_, definitions) in AllMetrics.ofEachProgram {
            for definition in definitions {
                let name = definition.name
                #expect(["ate_", "grpc_server_", "process_"].contains { name.hasPrefix($0) }, "\(name)")
                #expect((definition.kind == .counter) == name.hasSuffix("_total"), "\(name)")
                #expect(name.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "_") }, "\(name)")
                #expect(definition.labels.count <= 3 && !definition.help.hasSuffix("."), "\(name)")
                #expect(definition.kind != .histogram || !definition.buckets.isEmpty, "\(name)")
                #expect(definition.buckets == definition.buckets.sorted(), "\(name)")
            }
        }
    }

    /// Every name in the rules and on the dashboard is one that a program exposes, and the page that explains the alerts has
    /// each of them.
    @Test func rulesAndDashboardNameWhatThereIs() throws {
        var known: Set<String> = []
        for definition in AllMetrics.ofEachProgram.flatMap(\.definitions) {
            known.insert(definition.name)
            if definition.kind == .histogram {
                for suffix in ["bucket", "sum", "count"] { known.insert("\(definition.name)_\(suffix)") }
            }
        }
        for path in ["examples/monitoring/alerts.yaml", "examples/monitoring/dashboard.json"] {
            let named = try text(path).matches(of: /\b(ate|grpc_server|process)_[a-z0-9_]+/).map { String($0.output.0) }
            #expect(named.count > 30)
            #expect(Set(named).subtracting(known) == [], "in \(path)")
        }
        let page = try text("docs/metrics.md")
        for alert in try alerts {
            #expect(page.contains("| `\(alert)` |"), "docs/metrics.md does not explain \(alert)")
        }
        _ = try JSONSerialization.jsonObject(with: Data(text("examples/monitoring/dashboard.json").utf8))
    }

    private var alerts: [String] {
        get throws {
            try text("examples/monitoring/alerts.yaml").matches(of: /- alert: (\w+)/).map { String($0.output.1) }
        }
    }

    @Test(.enabled(if: Promtool.isThere, "promtool is not there: scripts/deps monitoring"))
    func everyAlertFiresWhenItsConditionHoldsAndNotBefore() async throws {
        let folder = repository.appendingPathComponent("examples/monitoring").path
        try await Promtool.run(["check", "config", "\(folder)/prometheus.yaml"])
        try await Promtool.run(["test", "rules", "\(folder)/alerts_test.yaml"])
        let tests = try text("examples/monitoring/alerts_test.yaml")
        let alerts = try alerts
        #expect(alerts.count > 20)
        for alert in alerts {
            // Once quiet, once firing with its labels.
            #expect(tests.matches(of: try Regex("alertname: \(alert)\n")).count == 2, "\(alert)")
            let fires = try Regex("alertname: \(alert)\n        exp_alerts:\n          - exp_labels:")
            #expect(tests.contains(fires), "\(alert)")
        }
    }
}
