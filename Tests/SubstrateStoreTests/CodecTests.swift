import Etcd
import Protobuf
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

@Suite struct CodecTests {
    private let assignment = Assignment(
        worker: WorkerRef(pool: PoolRef(namespace: "ns", name: "pool.x"), pod: "node-0"), uid: "uid",
        address: ActorAddress(ip: "127.0.0.9", port: 8080))

    private func local(_ nonce: String) throws -> LocalSnapshot {
        let name = try #require(LocalSnapshotName(actorUID: "u", nonce: nonce))
        return LocalSnapshot(name: name, node: "node-a", directoryID: "directory")
    }

    private func stored<Value: StoredValue>(_ value: Value) throws -> Value {
        let bytes = value.record(after: Codec.magic)
        let pair = KeyValue(key: "k", value: bytes, createRevision: 3, modRevision: 5, version: 2)
        let read = try Codec.decode(pair, as: Value.self)
        #expect(read.createRevision == 3 && read.modRevision == 5 && read.version == 2)
        // What is written twice is the same bytes: a comparison of values may rely on it.
        #expect(read.value.record(after: Codec.magic) == bytes)
        return read.value
    }

    @Test func everyValueSurvives() throws {
        for state in [
            ActorState.suspended, .paused, .resuming(Assignment(worker: assignment.worker, uid: "uid")),
            .resuming(assignment, from: .paused),
            .running(assignment), .suspending(assignment, snapshot: SnapshotURI("file:///s/2")),
            .pausing(assignment, snapshot: try local("2")),
        ] {
            var actor = Actor(
                uid: "u", template: TemplateRef(namespace: "n", name: "t"),
                workerSelector: Selector(matchLabels: ["b": "2", "a": "1", "c": ""]))
            actor.state = state
            actor.lastSnapshot = SnapshotURI("file:///s/1")
            actor.localSnapshot = try local("1")
            actor.lastFallback = Fallback(
                snapshot: try local("0"), reason: state == .paused ? .nodeGone : .snapshotMissing, atMilliseconds: 11)
            actor.lastRecovery = Recovery(worker: assignment.worker, statusBefore: .running, releasedAtMilliseconds: 12)
            actor.isGolden = state == .suspended
            #expect(try stored(actor) == actor)
        }
        let presence = Presence(
            uid: "u", node: "n", bootID: "b", directoryID: "d", agentAddress: "h:1",
            labels: ["x": "y"], sandboxClass: .process, drainingUntilMilliseconds: 99)
        #expect(try stored(presence) == presence)
        for phase in [Binding.Phase.claimed, .ready, .revoked] {
            var binding = Binding(
                actor: ActorRef(atespace: "a", name: "b"), actorUID: "u",
                template: TemplateRef(namespace: "n", name: "t"),
                incarnation: Incarnation(7), phase: phase)
            #expect(try stored(binding) == binding)
            binding.address = assignment.address
            #expect(try stored(binding) == binding)
        }
        for kind in [Operation.Kind.resume, .suspend, .pause, .adopt] {
            let operation = Operation(kind: kind, owner: "o", nonce: "n")
            #expect(try stored(operation) == operation)
        }
    }

    /// Field 100 of a newer version, in the record itself and in a message within it.
    @Test func fieldsOfANewerVersionSurviveAReadAndAWrite() throws {
        var actor = Actor(uid: "u", template: TemplateRef(namespace: "n", name: "t"))
        actor.state = .running(assignment)
        let ours = actor.record(after: [])
        let unknown: [UInt8] = [0xa2, 0x06, 0x03, 1, 2, 3, 0xa8, 0x06, 0x96, 0x01]
        // The assignment is field 6; its length grows with what is added.
        let start = try #require(ours.firstIndex(of: 6 << 3 | 2))
        var bytes = ours
        bytes[start + 1] += UInt8(unknown.count)
        bytes.insert(contentsOf: unknown, at: start + 2 + Int(ours[start + 1]))
        bytes += unknown
        let pair = KeyValue(key: "k", value: Codec.magic + bytes, createRevision: 1, modRevision: 1, version: 1)
        let read = try Codec.decode(pair, as: Actor.self).value
        let released = try read.transition(.workerLost(atMilliseconds: 1)).record(after: [])
        #expect(released.ends(with: unknown))
        #expect(read.record(after: []).contains(sequence: unknown, times: 2))
    }

    @Test func whatIsNotOursIsRefusedWithTheKey() {
        func error(_ value: [UInt8]) -> String {
            let pair = KeyValue(key: "actors/a/b", value: value, createRevision: 1, modRevision: 1, version: 1)
            do {
                _ = try Codec.decode(pair, as: Actor.self)
                return "no error"
            } catch {
                return "\(error)"
            }
        }
        #expect(error([1, 2, 3]).contains("actors/a/b"))
        #expect(error([]).contains("magic") && error(Array("ate".utf8)).contains("magic"))
        let later = error(
            Codec.magic.dropLast() + [Codec.format + 1]
                + Actor(uid: "u", template: TemplateRef(namespace: "n", name: "t")).record(after: []))
        #expect(later.contains("actors/a/b") && later.contains("has schema \(Codec.format + 1)"))
        #expect(error(Codec.magic + [0xff]).contains("ActorRecord"))
        // Status 99; RUNNING without a worker; a name with a NUL.
        #expect(error(Codec.magic + [5 << 3, 99]).contains("unknown value 99"))
        #expect(error(Codec.magic + [5 << 3, 2]).contains("does not go with no worker"))
        // PAUSED without a local snapshot; a local snapshot whose name would lead elsewhere.
        #expect(error(Codec.magic + [5 << 3, 6]).contains("and no local snapshot"))
        #expect(error(Codec.magic + [11 << 3 | 2, 6, 1 << 3 | 2, 4] + Array("../x".utf8)).contains("prefix is not"))
        #expect(error(Codec.magic + [1 << 3 | 2, 1, 0]).contains("NUL"))
    }

    @Test func keysReadBackAsWhatTheyName() {
        let keys = Keys(root: "/r/")
        let worker = WorkerRef(pool: PoolRef(namespace: "n", name: "p.q"), pod: "w-0")
        #expect(keys.worker(keys.live(worker)) == .live(worker))
        #expect(keys.worker(keys.bound(worker)) == .bound(worker))
        #expect(keys.actorRef(keys.actor(ActorRef(atespace: "a", name: "b"))) == ActorRef(atespace: "a", name: "b"))
        #expect(keys.atespaceName(keys.atespace("a")) == "a")
        for stray in [
            "/r/workers/live/n/p", "/r/workers/live/n/p/w/x", "/r/workers/other/n/p/w", "/x/workers/live/n/p/w",
            "/r/workers/live//p/w",
        ] {
            #expect(keys.worker(Key(stray)) == nil)
        }
        #expect(keys.actors(in: "a").contains(keys.actor(ActorRef(atespace: "a", name: "b"))))
        #expect(!keys.actors(in: "a").contains(keys.actor(ActorRef(atespace: "ab", name: "b"))))
    }
}

extension [UInt8] {
    fileprivate func ends(with tail: [UInt8]) -> Bool { count >= tail.count && suffix(tail.count).elementsEqual(tail) }

    fileprivate func contains(sequence part: [UInt8], times: Int) -> Bool {
        indices.filter { self[$0...].starts(with: part) }.count == times
    }
}
