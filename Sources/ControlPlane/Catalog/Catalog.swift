internal import Etcd
package import ServiceKit
package import SubstrateModel
package import SubstrateStore
internal import Synchronization

/// The pools and templates, kept from a watch, so that a resume need not read them. What operators declare is few
/// compared with what runs, so all of it is kept.
package final class Catalog: Sendable {
    private let store: Store
    private let environment: Environment
    private let state = Mutex(State())
    /// Hear when templates have been seen to change.
    let listeners = Listeners()

    private struct State {
        var pools: [PoolRef: WorkerPool] = [:]
        var templates: [TemplateRef: Stored<ActorTemplate>] = [:] {
            didSet { hasIdleTimeouts = templates.values.contains { $0.value.idleTimeout != nil } }
        }
        var hasIdleTimeouts = false
    }

    package init(store: Store, environment: Environment) {
        self.store = store
        self.environment = environment
    }

    /// Follows the store until the task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.followPools() }
            group.addTask { await self.followTemplates() }
        }
    }

    /// The template. One that was created a moment ago may not have been seen yet and is then read.
    package func template(_ ref: TemplateRef) async throws(StoreError) -> ActorTemplate? {
        if let template = state.withLock({ $0.templates[ref] }) { return template.value }
        return try await store.template(ref)?.value
    }

    /// Whether any template has an idle timeout, as far as they have been seen.
    var hasIdleTimeouts: Bool { state.withLock { $0.hasIdleTimeouts } }

    /// After how long without a request actors of the template are suspended, as far as it has been seen; nil for never.
    func idleTimeout(of ref: TemplateRef) -> Duration? { state.withLock { $0.templates[ref]?.value.idleTimeout } }

    /// The templates that want a golden snapshot and have none, as far as they have been seen, sorted.
    package var templatesWithoutGoldenSnapshot: [GoldenWish] {
        state.withLock { state in
            state.templates.values.filter { $0.value.golden && $0.value.status.goldenSnapshot == nil }
                .map { GoldenWish(template: $0.value.ref, createRevision: $0.createRevision) }
        }.sorted { ($0.template.namespace, $0.template.name) < ($1.template.namespace, $1.template.name) }
    }

    /// A template that wants a golden snapshot and has none.
    package struct GoldenWish: Hashable, Sendable {
        package var template: TemplateRef
        /// Tells it from an earlier template of the same name.
        var createRevision: Int64
    }

    /// The pools, as far as they have been seen.
    package var pools: [WorkerPool] { state.withLock { Array($0.pools.values) } }

    private func followPools() async {
        await follow(store.keys.pools, of: store.etcd, environment) { listing in
            let pools = self.decode(listing.pairs, as: WorkerPool.self)
            self.state.withLock { state in
                state.pools = Dictionary(uniqueKeysWithValues: pools.map { ($0.value.ref, $0.value) })
            }
        } changed: { events in
            for event in events {
                guard let ref = self.store.keys.poolRef(event.key) else { continue }
                let pool = self.decode(event.pairs, as: WorkerPool.self).first?.value
                self.state.withLock { $0.pools[ref] = pool }
            }
        }
    }

    private func followTemplates() async {
        await follow(store.keys.templates, of: store.etcd, environment) { listing in
            let templates = self.decode(listing.pairs, as: ActorTemplate.self)
            self.state.withLock { state in
                state.templates = Dictionary(uniqueKeysWithValues: templates.map { ($0.value.ref, $0) })
            }
            self.listeners.tell()
        } changed: { events in
            for event in events {
                guard let ref = self.store.keys.templateRef(event.key) else { continue }
                let template = self.decode(event.pairs, as: ActorTemplate.self).first
                self.state.withLock { $0.templates[ref] = template }
            }
            self.listeners.tell()
        }
    }

    private func decode<Value: StoredValue>(_ pairs: [KeyValue], as type: Value.Type) -> [Stored<Value>] {
        pairs.compactMap { pair in
            do throws(StoreError) {
                return try Codec.decode(pair)
            } catch {
                environment.log.error("a row cannot be read and is left alone", ["error": .text(error)])
                return nil
            }
        }
    }
}

extension WatchEvent {
    /// What was put; nothing for a deletion.
    fileprivate var pairs: [KeyValue] { if case .put(let pair, _) = self { [pair] } else { [] } }
}
