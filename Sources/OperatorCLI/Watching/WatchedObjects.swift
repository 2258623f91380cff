/// What a watch has told so far, and what an update changes of it.
struct WatchedObjects<Update: WatchUpdate> {
    enum Change {
        case added(Update.Object)
        case modified(Update.Object)
        /// As it was last seen.
        case deleted(Update.Object)
    }

    private let selects: (Update.Object) -> Bool
    private(set) var known: [Update.Ref: Update.Object] = [:]
    /// The current state as far as it has arrived, while it is not complete.
    private var arriving: [Update.Ref: Update.Object]?

    /// - Parameter selects: which objects count. One that does not any more is deleted.
    init(selects: @escaping (Update.Object) -> Bool) { self.selects = selects }

    /// What the update changes; nil while the current state is not complete.
    ///
    /// When a state comes in the place of what was known, the changes are the differences: what was told before a break is
    /// not told again, and what went away meanwhile is deleted.
    mutating func take(_ update: Update) -> [Change]? {
        if update.isReset { arriving = [:] }
        guard arriving != nil else { return apply(update) }
        for object in update.objects where selects(object) { arriving?[Update.ref(of: object)] = object }
        guard update.revision > 0, let complete = arriving else { return nil }
        arriving = nil
        let gone = known.keys.filter { complete[$0] == nil }
        return gone.compactMap { delete($0) } + complete.values.compactMap { put($0) }
    }

    /// Forgets a state that has not become complete: the rest of it will not come.
    mutating func breakOff() { arriving = nil }

    private mutating func apply(_ update: Update) -> [Change] {
        update.deleted.compactMap { delete($0) } + update.objects.compactMap { put($0) }
    }

    private mutating func put(_ object: Update.Object) -> Change? {
        let ref = Update.ref(of: object)
        guard selects(object) else { return delete(ref) }
        guard let before = known.updateValue(object, forKey: ref) else { return .added(object) }
        return before == object ? nil : .modified(object)
    }

    private mutating func delete(_ ref: Update.Ref) -> Change? { known.removeValue(forKey: ref).map(Change.deleted) }
}

extension WatchedObjects.Change {
    var object: Update.Object {
        switch self {
        case .added(let object), .modified(let object), .deleted(let object): object
        }
    }

    var isDeletion: Bool { if case .deleted = self { true } else { false } }

    /// As Kubernetes names it.
    var name: String {
        switch self {
        case .added: "ADDED"
        case .modified: "MODIFIED"
        case .deleted: "DELETED"
        }
    }
}
