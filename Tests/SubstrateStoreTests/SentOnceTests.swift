import Etcd
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Writes whose conditions can hold again after they were refused: a second copy on the way would do late what nobody wants any more.
@Suite struct SentOnceTests {
    @Test func theDeletionOfAnAtespaceIsSentOnceAndALostAnswerIsFoundOut() async throws {
        let base = try await TestEtcd.store()
        let etcd = InterceptedEtcd(base.etcd)
        let store = Store(etcd: etcd, keys: base.keys)
        _ = try await store.createAtespace("team", Atespace(uid: "uid"))
        let atespace = try #require(try await store.atespace("team"))
        let sent = Tally()
        etcd.beforeWrite { transaction in
            // The client repeats only what is guarded.
            #expect(!transaction.isGuarded)
            sent.add()
        }
        _ = try await base.createActor(
            ActorRef(atespace: "team", name: "alice"), Actor(uid: "a", template: TemplateRef(namespace: "n", name: "t"))
        )
        #expect(try await store.deleteAtespace("team", atespace) == .notEmpty)
        let alice = try #require(try await base.actor(ActorRef(atespace: "team", name: "alice")))
        _ = try await base.deleteActor(ActorRef(atespace: "team", name: "alice"), alice)
        etcd.afterWrite { _ in
            throw EtcdError(code: .unavailable, operation: "", endpoint: "", text: "answer lost", outcome: .unknown)
        }
        #expect(try await store.deleteAtespace("team", atespace) == .deleted)
        #expect(sent.count == 2)
        #expect(try await base.atespace("team") == nil)
    }
}
