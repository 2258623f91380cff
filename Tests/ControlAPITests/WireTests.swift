import GRPC
import Protobuf
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

/// Bytes as clients of both generations send them, and as nobody should. Made by hand from the tables of the wire
/// contract, not by our own encoder.
@Suite struct WireTests {
    /// A length-delimited field.
    private func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(bytes.count)] + bytes }
    private func field(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

    @Test func theNewerGenerationNamesAnActorByItsRef() async throws {
        try await APIHarness.run { api in
            _ = try await api.call(ControlMethods.createAtespace, AtespaceRequest(name: "team"))
            let ref = field(1, field(1, "team") + field(2, "alice"))
            let create = ref + field(2, "default") + field(3, "template")
            let created = try await api.call("/ateapi.Control/CreateActor", create)
            // Response field 1, the actor; in it field 1, its id.
            #expect(created.first == 0x0a)
            #expect(Array(created.dropFirst(2).prefix(7)) == field(1, "alice"))
            // Without labels the order of the fields is the other way round, too.
            let swapped = field(1, field(2, "alice") + field(1, "team"))
            #expect(try await api.call("/ateapi.Control/GetActor", swapped) == created)
        }
    }

    @Test func theOlderGenerationNamesAnActorByItsBareIDAndMeansTheDefaultAtespace() async throws {
        try await APIHarness.run { api in
            let create = field(1, "alice") + field(2, "default") + field(3, "template")
            _ = try await api.call("/ateapi.Control/CreateActor", create)
            let actor = try await api.call(ControlMethods.getActor, GetActorRequest(actor: api.actor("alice"))).actor
            #expect(actor.status == .suspended)
            for (name, expected) in [("ResumeActor", ActorStatus.running), ("SuspendActor", .suspended)] {
                _ = try await api.call("/ateapi.Control/\(name)", field(1, "alice"))
                let now = try await api.call(ControlMethods.getActor, GetActorRequest(actor: api.actor("alice"))).actor
                #expect(now.status == expected)
            }
            // Field 9 is the last snapshot for this generation; 12 holds it for the newer one.
            let bytes = try await api.call("/ateapi.Control/GetActor", field(1, "alice"))
            let snapshot = try #require(
                try await api.call(ControlMethods.getActor, GetActorRequest(actor: api.actor("alice"))).actor
                    .lastSnapshot)
            let old = [9 << 3 | 2, UInt8(snapshot.text.utf8.count)] + Array(snapshot.text.utf8)
            let new = field(12, [8, 2] + field(2, field(1, snapshot.text)))
            #expect(bytes.contains(old))
            #expect(bytes.contains(new))
            _ = try await api.call("/ateapi.Control/DeleteActor", field(1, "alice"))
            // An empty listing request is the same in both generations.
            #expect(try await api.call("/ateapi.Control/ListActors", []) == [])
        }
    }

    @Test func malformedRequestsAreRefusedAndTheServerLivesOn() async throws {
        try await APIHarness.run { api in
            let actorMethods = [
                "GetActor", "CreateActor", "UpdateActor", "SuspendActor", "PauseActor", "ResumeActor", "DeleteActor",
            ]
            let methods =
                actorMethods + [
                    "ListActors", "ListWorkers", "CreateAtespace", "GetAtespace", "ListAtespaces", "DeleteAtespace",
                ]
            let resources = [
                "ApplyWorkerPool", "GetWorkerPool", "ListWorkerPools", "DeleteWorkerPool", "ApplyActorTemplate",
                "GetActorTemplate", "ListActorTemplates", "DeleteActorTemplate",
            ]
            let paths = methods.map { "/ateapi.Control/\($0)" } + resources.map { "/substrate.Resources/\($0)" }
            // A length that goes beyond the end; a varint without one; wire types that do not exist; a field number 0.
            let broken: [[UInt8]] = [[0x0a, 0x7f, 0x61], [0x0a], [0x08, 0xff], [0x0f, 0x01], [0x02, 0x01, 0x00]]
            for path in paths {
                for bytes in broken {
                    let error = await #expect(throws: RPCError.self, "\(path) \(bytes)") {
                        try await api.call(path, bytes)
                    }
                    #expect(error?.code == .invalidArgument, "\(path) \(bytes) \(String(describing: error))")
                }
            }
            // Field 1 as a number instead of a name or a message.
            for path in paths where !path.contains("List") {
                let error = await #expect(throws: RPCError.self) { try await api.call(path, [0x08, 0x01]) }
                #expect(error?.code == .invalidArgument, "\(path)")
            }
            for name in actorMethods {
                let path = "/ateapi.Control/\(name)"
                for (id, what) in [([0x61, 0x00, 0x62], "a NUL character"), ([0x61, 0xff], "valid UTF-8")]
                    as [([UInt8], String)]
                {
                    for bytes in [
                        field(1, id), field(1, field(1, "default") + field(2, id)),
                        field(1, field(1, id) + field(2, "a")),
                    ] {
                        let error = await #expect(throws: RPCError.self) { try await api.call(path, bytes) }
                        #expect(error?.code == .invalidArgument)
                        #expect(error?.status.message.contains(what) == true, "\(path): \(String(describing: error))")
                    }
                }
            }
            let labels = await #expect(throws: RPCError.self) {
                let selector = field(1, field(1, [0x6b, 0x00]) + field(2, "v"))
                _ = try await api.call("/ateapi.Control/UpdateActor", field(1, "alice") + field(2, selector))
            }
            #expect(labels?.status.message == "match_labels key contains a NUL character")
            let large = await #expect(throws: RPCError.self) {
                try await api.call("/ateapi.Control/GetActor", [UInt8](repeating: 0x61, count: 5 << 20))
            }
            #expect(large?.code == .resourceExhausted)
            let unknown = await #expect(throws: RPCError.self) { try await api.call("/ateapi.Control/DropTables", []) }
            #expect(unknown?.code == .unimplemented)
            let workers = try await api.call(ControlMethods.listWorkers, EmptyRequest()).workers
            #expect(workers.count == 2)
        }
    }

    /// Two bytes on the wire that become a struct of a hundred: what a request can make us allocate is bounded.
    @Test func aRequestThatUnpacksToFarMoreThanItSentIsRefused() async throws {
        try await APIHarness.run { api in
            var selector: [UInt8] = []
            for _ in 0..<1_000_000 { selector += [0x0a, 0x00] }
            let size = [UInt8](varint: selector.count)
            let error = await #expect(throws: RPCError.self) {
                _ = try await api.call("/ateapi.Control/UpdateActor", field(1, "alice") + [0x12] + size + selector)
            }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test func answersCarryTheTimeTheyTook() async throws {
        try await APIHarness.run { api in
            let error = await #expect(throws: RPCError.self) {
                try await api.call("/ateapi.Control/GetActor", field(1, "a"))
            }
            #expect(error?.status.metadata["x-server-elapsed-us"].flatMap { Int($0) } != nil)
        }
    }
}

extension [UInt8] {
    fileprivate init(varint value: Int) {
        self = []
        var rest = value
        while rest > 0x7f {
            append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    fileprivate func contains(_ part: [UInt8]) -> Bool {
        guard count >= part.count else { return false }
        return (0...(count - part.count)).contains { self[$0..<($0 + part.count)].elementsEqual(part) }
    }
}
