import SubstrateAPI
import SubstrateModel
import Testing

@testable import OperatorCLI

/// What updates change of what was known.
@Suite struct WatchedObjectsTests {
    private typealias Objects = WatchedObjects<ActorsUpdate>

    private func ref(_ name: String) -> ActorRef { ActorRef(atespace: "default", name: name) }

    private func actor(_ name: String, version: Int64 = 1) -> ActorInfo {
        ActorInfo(
            ref: ref(name), version: version, template: TemplateRef(namespace: "default", name: "t"),
            workerSelector: Selector(), status: .suspended, assignment: nil, lastSnapshot: nil, inProgressSnapshot: nil)
    }

    private func told(_ changes: [Objects.Change]?) -> Set<String>? {
        changes.map { Set($0.map { "\($0.name) \($0.object.ref.name) \($0.object.version)" }) }
    }

    @Test func aStateCountsWhenItIsComplete() {
        var objects = Objects { _ in true }
        #expect(objects.take(ActorsUpdate(revision: 0, isReset: true, actors: [actor("a")])) == nil)
        #expect(objects.take(ActorsUpdate(revision: 0, actors: [actor("b")])) == nil)
        #expect(
            told(objects.take(ActorsUpdate(revision: 7, actors: [actor("c")]))) == [
                "ADDED a 1", "ADDED b 1", "ADDED c 1",
            ])
        #expect(told(objects.take(ActorsUpdate(revision: 8, deleted: [ref("b"), ref("x")]))) == ["DELETED b 1"])
    }

    @Test func aStateThatBeginsAnewForgetsItsBeginning() {
        var objects = Objects { _ in true }
        #expect(objects.take(ActorsUpdate(revision: 0, isReset: true, actors: [actor("a")])) == nil)
        #expect(told(objects.take(ActorsUpdate(revision: 7, isReset: true, actors: [actor("b")]))) == ["ADDED b 1"])
    }

    @Test func aStateThatBreaksOffChangesNothing() {
        var objects = Objects { _ in true }
        _ = objects.take(ActorsUpdate(revision: 7, isReset: true, actors: [actor("a"), actor("b")]))
        #expect(objects.take(ActorsUpdate(revision: 0, isReset: true, actors: [actor("c")])) == nil)
        objects.breakOff()
        #expect(told(objects.take(ActorsUpdate(revision: 8, actors: [actor("a", version: 2)]))) == ["MODIFIED a 2"])
        #expect(told(objects.take(ActorsUpdate(revision: 9, deleted: [ref("b")]))) == ["DELETED b 1"])
    }

    @Test func aNewStateTellsTheDifferences() {
        var objects = Objects { _ in true }
        _ = objects.take(ActorsUpdate(revision: 7, isReset: true, actors: [actor("a"), actor("b"), actor("c")]))
        let state = [actor("a"), actor("b", version: 3), actor("d")]
        #expect(
            told(objects.take(ActorsUpdate(revision: 9, isReset: true, actors: state)))
                == ["MODIFIED b 3", "DELETED c 1", "ADDED d 1"])
    }

    @Test func whatIsToldAgainIsNoChange() {
        var objects = Objects { _ in true }
        _ = objects.take(ActorsUpdate(revision: 7, isReset: true, actors: [actor("a")]))
        #expect(told(objects.take(ActorsUpdate(revision: 8, actors: [actor("a")]))) == [])
    }
}
