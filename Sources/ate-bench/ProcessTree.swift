import Foundation
import Glibc

/// A process with its children and theirs.
enum ProcessTree {
    /// What all that live have spent so far, in user and kernel mode.
    static func processorTime(of pid: Int32) -> Duration {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { Int32($0) } ?? []
        let statuses = all.compactMap { pid in fields(pid).map { (pid, $0) } }
        var tree: Set<Int32> = [pid]
        var hasGrown = true
        while hasGrown {
            let children = statuses.filter { !tree.contains($0.0) && tree.contains(Int32($0.1[1]) ?? 0) }.map(\.0)
            tree.formUnion(children)
            hasGrown = !children.isEmpty
        }
        let ticks = statuses.filter { tree.contains($0.0) }
            .reduce(0) { $0 + (Int($1.1[11]) ?? 0) + (Int($1.1[12]) ?? 0) }
        return .seconds(1) / sysconf(Int32(_SC_CLK_TCK)) * ticks
    }

    /// What the process alone has spent so far.
    static func processorTimeAlone(of pid: Int32) -> Duration {
        guard let fields = fields(pid) else { return .zero }
        return .seconds(1) / sysconf(Int32(_SC_CLK_TCK)) * ((Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0))
    }

    /// What stands behind the name in parentheses, which may hold anything: the state, the parent, and so on.
    private static func fields(_ pid: Int32) -> [Substring]? {
        let text = String(decoding: FileManager.default.contents(atPath: "/proc/\(pid)/stat") ?? Data(), as: UTF8.self)
        let fields = text[(text.lastIndex(of: ")") ?? text.endIndex)...].dropFirst().split(separator: " ")
        return fields.count > 12 ? fields : nil
    }
}
