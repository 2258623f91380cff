/// What the kernel shows of a process by which it may be known.
struct ProcessEvidence {
    /// The lines of its `cgroup`; nil when they cannot be read.
    let groups: [UInt8]?
    /// Gives its environment; nil when that cannot be read, as of one that is ending. Asked for only when the cgroup does not
    /// tell, because it takes a lock of the process' memory, which one that is stuck may hold.
    let environment: () -> [UInt8]?

    /// Whether the process has the mark, and one of the others; nil when these do not matter.
    func has(_ mark: ProcessMark, andOneOf others: [ProcessMark]?) -> Bool {
        let lines = groups ?? []
        var isInGroup = mark.isIn(lines)
        if isInGroup, let others { isInGroup = others.contains { $0.isIn(lines) } }
        if isInGroup { return true }
        let entries = environment()?.split(separator: 0) ?? []
        func has(_ mark: ProcessMark) -> Bool {
            mark.isIn(lines) || entries.contains { $0.elementsEqual(mark.entry.utf8) }
        }
        return has(mark) && others.map { $0.contains(where: has) } ?? true
    }
}
