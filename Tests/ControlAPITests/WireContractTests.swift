import ControlAPI
import GRPC
import TestKit
import Testing

/// Every method of both generations with bytes made by hand, and its answer field by field as the tables of the wire
/// contract number them.
@Suite struct WireContractTests {
    private typealias Make = @Sendable (String) -> [UInt8]

    private static let older: Make = { WireRequests.field(1, $0) }
    private static let newer: Make = { WireRequests.ref($0) }

    private func send(_ api: APIHarness, _ method: String, _ bytes: [UInt8] = []) async throws -> WireReader {
        try WireReader(try await api.call("/ateapi.Control/\(method)", bytes))
    }

    private func failure(_ api: APIHarness, _ path: String, _ bytes: [UInt8] = []) async -> Status? {
        do throws(RPCError) {
            _ = try await api.call(path, bytes)
            return nil
        } catch {
            return error.status
        }
    }

    /// The fields that an actor has in every state, and its status.
    private func checkActor(_ actor: WireReader, _ id: String, version: UInt64? = nil, status: UInt64) {
        #expect(actor.text(1) == id)
        if let version { #expect(actor.number(2) == version) }
        #expect((actor.number(2) ?? 0) > 0)
        #expect(actor.text(3) == "default")
        #expect(actor.text(4) == "template")
        #expect(actor.number(5) == status)
        #expect(actor.text(15) == "default")
    }

    /// A whole life, with the methods that both generations have.
    private func live(_ api: APIHarness, _ id: String, _ name: Make) async throws {
        let created = try await send(api, "CreateActor", name(id) + WireRequests.template).message(1)
        checkActor(created, id, version: 1, status: 4)
        #expect(created.numbers == [1, 2, 3, 4, 5, 15])
        let found = try await send(api, "GetActor", name(id)).message(1)
        #expect(found.fields == created.fields)
        let running = try await send(api, "ResumeActor", name(id)).message(1)
        checkActor(running, id, status: 2)
        #expect(running.text(6) == "default" && running.text(7) == "node-0")
        // Of the range that the node has for its actors.
        #expect(running.text(8)?.hasPrefix("127.91.") == true)
        #expect(running.text(11)?.isEmpty == false && running.text(14) == "pool")
        // 100 is our own: the port.
        #expect(running.numbers.subtracting([100]) == [1, 2, 3, 4, 5, 6, 7, 8, 11, 14, 15])
        // Boot, field 2, is known, and a running actor is as it is.
        let again = try await send(api, "ResumeActor", name(id) + WireRequests.field(2, 1)).message(1)
        #expect(again.fields == running.fields)
        let worker = try await send(api, "ListWorkers").message(1)
        #expect(worker.text(1) == "default" && worker.text(2) == "pool" && worker.text(3) == "node-0")
        #expect(worker.text(4) == "default" && worker.text(5) == "template" && worker.text(6) == id)
        #expect(worker.text(7) == running.text(8) && (worker.number(8) ?? 0) > 0)
        #expect(worker.text(9) == running.text(11) && worker.text(10) == "node" && worker.text(11) == "default")
        let suspended = try await send(api, "SuspendActor", name(id)).message(1)
        checkActor(suspended, id, status: 4)
        #expect(suspended.numbers == [1, 2, 3, 4, 5, 9, 12, 15])
        let info = try suspended.message(12)
        #expect(info.numbers == [1, 2] && info.number(1) == 2)
        #expect(try info.message(2).text(1) == suspended.text(9))
        #expect(suspended.text(9)?.hasPrefix("file:///snapshots/") == true)
        let listed = try await send(api, "ListActors")
        #expect(listed.numbers == [1])
        #expect(try listed.message(1).fields == suspended.fields)
        let deleted = try await send(api, "DeleteActor", name(id))
        #expect(deleted.fields.isEmpty)
        let gone = await failure(api, "/ateapi.Control/GetActor", name(id))
        #expect(gone?.code == .notFound && gone?.message == "Actor \(id) not found")
    }

    @Test func theLifeOfAnActorIsTheSameInBothGenerations() async throws {
        try await APIHarness.run(workers: 1) { api in
            try await live(api, "alice", Self.older)
            try await live(api, "bob", Self.newer)
        }
    }

    @Test func whatOnlyTheNewerGenerationHas() async throws {
        try await APIHarness.run(workers: 1) { api in
            let alice = WireRequests.ref("alice")
            let created = try await send(
                api, "CreateActor", alice + WireRequests.template + WireRequests.field(4, WireRequests.selector)
            ).message(1)
            #expect(
                try created.message(13).message(1).fields == [
                    1: [.bytes(Array("size".utf8))], 2: [.bytes(Array("small".utf8))],
                ])
            let updated = try await send(api, "UpdateActor", alice).message(1)
            checkActor(updated, "alice", version: 2, status: 4)
            #expect(!updated.numbers.contains(13))
            _ = try await send(api, "ResumeActor", alice)
            let paused = try await send(api, "PauseActor", alice).message(1)
            checkActor(paused, "alice", status: 6)
            let info = try paused.message(12)
            #expect(info.numbers == [1, 3] && info.number(1) == 1)
            let local = try info.message(3)
            #expect(local.text(1)?.isEmpty == false && local.text(2) == "node")
            _ = try await send(api, "CreateActor", WireRequests.ref("bob") + WireRequests.template)
            let first = try await send(api, "ListActors", WireRequests.field(1, 1))
            #expect(first.numbers == [1, 2])
            #expect(try first.message(1).text(1) == "alice")
            let token = try #require(first.text(2))
            let second = try await send(
                api, "ListActors", WireRequests.field(1, 1) + WireRequests.field(2, token))
            #expect(second.numbers == [1])
            #expect(try second.message(1).text(1) == "bob")
            let elsewhere = try await send(api, "ListActors", WireRequests.field(3, "elsewhere"))
            #expect(elsewhere.numbers.isEmpty)
        }
    }

    @Test func atespaces() async throws {
        try await APIHarness.run { api in
            let team = WireRequests.field(1, "team")
            for method in ["CreateAtespace", "GetAtespace"] {
                let answer = try await send(api, method, team)
                #expect(answer.numbers == [1])
                let atespace = try answer.message(1)
                #expect(atespace.numbers == [1] && atespace.text(1) == "team")
            }
            let names = try await send(api, "ListAtespaces").messages(1).map { $0.text(1) }
            #expect(names == ["default", "team"])
            let deleted = try await send(api, "DeleteAtespace", team)
            #expect(deleted.fields.isEmpty)
            #expect(await failure(api, "/ateapi.Control/GetAtespace", team)?.code == .notFound)
        }
    }

    @Test func clearingAndMinting() async throws {
        var options = ControlServiceOptions()
        options.allowsDebugClear = true
        try await APIHarness.run(options: options) { api in
            _ = try await send(api, "CreateAtespace", WireRequests.field(1, "team"))
            let cleared = try await send(api, "DebugClear")
            #expect(cleared.fields.isEmpty)
            let names = try await send(api, "ListAtespaces").messages(1).map { $0.text(1) }
            #expect(names == ["default"])
            for method in WireRequests.all where method.path.hasPrefix("/ateapi.SessionIdentity/") {
                for request in method.requests {
                    #expect(await failure(api, method.path, request)?.code == .unauthenticated, "\(method.path)")
                }
            }
        }
    }
}
