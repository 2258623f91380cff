internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

extension Get {
    /// What one `get` asks for.
    struct Query {
        let kind: ResourceKind
        let name: String?
        let invocation: Invocation
        let selector: Selector?

        /// - Throws: `FlagError` when the flags do not fit the kind.
        init(_ kind: ResourceKind, _ name: String?, _ invocation: Invocation) throws(FlagError) {
            self.kind = kind
            self.name = name
            self.invocation = invocation
            let text = invocation.values.optional("selector")
            selector = if let text { try LabelSelector.read(text) } else { nil }
            if selector != nil, kind == .worker || kind == .atespace {
                throw FlagError("-l: \(kind.plural) have no labels; only actors, pools and templates do")
            }
            if isWatch, kind != .actor, kind != .worker {
                throw FlagError("-w: \(kind.plural) cannot be watched; only actors and workers can")
            }
            if name != nil, invocation.isEverywhere {
                throw FlagError("-A lists; one \(kind) by name needs its atespace: -a NAME")
            }
        }

        var isWatch: Bool { invocation.values.isSet("watch") }

        var pair: (namespace: String, name: String)? {
            get throws(FlagError) { try name.map { name throws(FlagError) in try invocation.pair(name, "\(kind)") } }
        }

        var namespace: String? { invocation.values.optional("namespace") }

        func takes(namespace found: String) -> Bool { namespace == nil || namespace == found }

        private func selects<Object>(_ object: Object, _ view: View<Object>) -> Bool {
            guard let selector else { return true }
            return selector.matches(view.labels?(object) ?? [:])
        }

        func show<Object>(_ view: View<Object>, _ objects: [Object]) throws {
            try invocation.show(view, objects.filter { selects($0, view) })
        }

        func watch<Update>(
            _ view: View<Update.Object>, _ api: APIClient, _ source: WatchSource<Update>,
            _ isWanted: @escaping (Update.Object) -> Bool
        ) async throws {
            let objects = WatchedObjects<Update> { isWanted($0) && selects($0, view) }
            var printer = WatchPrinter<Update>(view, invocation.format, coloured: invocation.terminal.showsColours)
            var loop = WatchLoop(api, source, objects, complain: invocation.terminal.complain)
            var isFirst = true
            _ = try await loop.run { changes in
                if isFirst, changes.isEmpty, let name {
                    throw CommandError("\(kind) \"\(name)\" not found")
                }
                isFirst = false
                try invocation.terminal.write(printer.text(changes))
                return true
            }
        }
    }
}
