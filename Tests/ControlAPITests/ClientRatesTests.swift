import ControlAPI
import GRPC
import Identity
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

/// How often clients may call.
@Suite struct ClientRatesTests {
    @Test func aClientMayBurstAndThenKeepsToItsRate() {
        let clock = ManualClock()
        let rates = ClientRates(callsPerSecond: 10, burst: 3, clock: clock)
        for _ in 0..<3 { #expect(rates.take("alice") == nil) }
        #expect(rates.take("alice") == .milliseconds(100))
        // Being refused costs nothing.
        #expect(rates.take("alice") == .milliseconds(100))
        // Others have buckets of their own.
        #expect(rates.take("bob") == nil)
        clock.advance(by: .milliseconds(60))
        #expect(rates.take("alice") == .milliseconds(40))
        clock.advance(by: .milliseconds(40))
        #expect(rates.take("alice") == nil)
        #expect(rates.take("alice") == .milliseconds(100))
        // In the long run it is the rate, with the burst once.
        clock.advance(by: .seconds(60))
        var allowed = 0
        for _ in 0..<1000 {
            if rates.take("alice") == nil { allowed += 1 }
            clock.advance(by: .milliseconds(10))
        }
        #expect(allowed == 102)
    }

    @Test func moreClientsThanThereAreBucketsTakeNeitherMemoryNorAnotherRate() {
        let clock = ManualClock()
        let rates = ClientRates(callsPerSecond: 1, burst: 2, capacity: 100, clock: clock)
        for number in 0..<100 { #expect(rates.take("early \(number)") == nil) }
        var allowed = 0
        for number in 0..<100_000 where rates.take("late \(number)") == nil { allowed += 1 }
        #expect(allowed == 2, "together they have one bucket")
        #expect(rates.clients == 100)
        // Whoever was there goes on as before.
        #expect(rates.take("early 7") == nil)
        #expect(rates.take("early 7") != nil)
        // Full buckets are forgotten when somebody needs the place.
        clock.advance(by: .seconds(5))
        #expect(rates.take("late 1") == nil)
        #expect(rates.clients == 1)
    }

    private func status(_ channel: Channel) async -> Status {
        do throws(RPCError) {
            _ = try await channel.call(ControlMethods.listWorkers, EmptyRequest(), timeout: .seconds(20))
            return Status(code: .ok, message: "")
        } catch {
            return error.status
        }
    }

    @Test func whoCallsTooOftenIsToldWhenToCallAgainAndOthersAreServed() async throws {
        let certificates = try await TestCertificates()
        for name in ["alice", "bob"] {
            try await certificates.issue(name, name: name, alternativeName: "URI:spiffe://test/\(name)", by: "ca")
        }
        let files = TLSFiles(
            authorities: certificates.path("ca.pem"), certificate: certificates.path("server.pem"),
            privateKey: certificates.path("server.key"))
        let clock = ManualClock()
        let cluster = try await TestCluster(TestEtcd.store())
        let callGuard = CallGuard(rates: ClientRates(callsPerSecond: 1, burst: 2, clock: clock))
        let server = try Server(
            address: "127.0.0.1:0", credentials: .tls(files, clients: .verifiedIfGiven),
            methods: ControlServices(control: cluster.control, callGuard: callGuard).methods)
        @Sendable func channel(_ name: String?) -> Channel {
            let files = TLSFiles(
                authorities: certificates.path("ca.pem"), certificate: name.map { certificates.path("\($0).pem") },
                privateKey: name.map { certificates.path("\($0).key") })
            return Channel(target: "127.0.0.1:\(server.port)", credentials: .tls(files))
        }
        try await cluster.run {
            try await running(server.run) {
                // By their certificates, whatever the address; without one by the address, whatever the connection.
                for (name, client) in [
                    ("alice", "URI:spiffe://test/alice"), ("bob", "URI:spiffe://test/bob"), (nil, "127.0.0.1"),
                ] {
                    for _ in 0..<2 { #expect(await status(channel(name)).code == .ok) }
                    let refused = await status(channel(name))
                    #expect(refused.code == .resourceExhausted)
                    #expect(refused.message == "\(client) has made more than 1 calls per second; call less often")
                    #expect(refused.metadata["grpc-retry-pushback-ms"] == "1000")
                }
                clock.advance(by: .seconds(1))
                #expect(await status(channel("alice")).code == .ok)
                #expect(await status(channel("alice")).code == .resourceExhausted)
            }
        }
    }
}
