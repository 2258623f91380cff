import Foundation

/// The processes whose environment has the entry, with the letters that `/proc` shows as their states; dead ones left out.
func processStates(_ entry: String) -> [(pid: Int32, state: Character)] {
    let wanted = Array(entry.utf8)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { Int32($0) }.compactMap { pid in
        guard let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ"),
            environment.split(separator: 0).contains(where: { $0.elementsEqual(wanted) }),
            let status = FileManager.default.contents(atPath: "/proc/\(pid)/status").map({
                String(decoding: $0, as: UTF8.self)
            }),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("State:\t") }),
            let state = line.dropFirst(7).first, !"ZX".contains(state)
        else { return nil }
        return (pid, state)
    }
}
