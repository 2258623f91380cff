import Synchronization
import TestKit
import Testing

@testable import GRPC

/// What a server takes at most, and what it tells of the calls that it refuses.
@Suite struct LimitTests {
    private let hanging = ServerMethod.stream(Method("/test.Streams/Hang")) { stream, _ in
        try await stream.send(Message([1]))
        while true { try await Task.sleep(for: .seconds(60)) }
    }

    private func open(_ channel: Channel) async throws -> BidirectionalCall {
        let call = try channel.stream(hanging.method)
        let first = try await call.receive()
        #expect(first?.bytes == [1])
        return call
    }

    @Test func streamsBeyondTheLimitAreRefusedAndKeepNoOtherCallOut() async throws {
        var options = ServerOptions()
        options.maximumConcurrentStreams = 2
        options.maximumConcurrentCalls = 1
        try await withServer([hanging, echo], options: options) { channel, _ in
            let calls = [try await open(channel), try await open(channel)]
            let error = await #expect(throws: RPCError.self) { try await open(channel) }
            #expect(error?.code == .resourceExhausted && error?.status.message == "2 streams are already open")
            let echoed = try await channel.unary(echo.method, Message([7]), timeout: .seconds(10))
            #expect(echoed.bytes == [7])
            calls[0].cancel()
            try await eventually("its place is free again") { (try? await open(channel)) != nil }
            calls[1].cancel()
        }
    }

    @Test func oneNetworkDoesNotTakeAllStreams() async throws {
        var options = ServerOptions()
        options.maximumStreamsPerNetwork = 1
        try await withServer([hanging], options: options) { channel, _ in
            let call = try await open(channel)
            let error = await #expect(throws: RPCError.self) { try await open(channel) }
            #expect(error?.code == .resourceExhausted)
            #expect(error?.status.message == "1 streams are already open from 127.0.0.1")
            call.cancel()
            try await eventually("its place is free again") { (try? await open(channel)) != nil }
        }
    }

    @Test func placesAreCountedByNetwork() {
        var options = ServerOptions()
        options.maximumConcurrentStreams = 3
        options.maximumStreamsPerNetwork = 2
        var places = Places()
        for network in ["a", "a", "b"] { #expect(places.takeForStream(of: network, options) == nil) }
        #expect(places.takeForStream(of: "c", options) == "3 streams are already open")
        places.giveBackOfStream(of: "b")
        #expect(places.takeForStream(of: "a", options) == "2 streams are already open from a")
        #expect(places.takeForStream(of: "c", options) == nil)
        for network in ["a", "a", "c"] { places.giveBackOfStream(of: network) }
        for network in ["a", "a", "b"] { #expect(places.takeForStream(of: network, options) == nil) }
    }

    @Test(arguments: [
        ("ipv4:127.0.0.1:40312", "127.0.0.1"), ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:443", "2001:db8:1:2::/64"),
        ("ipv6:[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"), ("ipv6:%5B::1%5D:1", "0:0:0:0::/64"),
        ("ipv6:%5B::ffff:10.1.2.3%5D:1", "10.1.2.3"), ("ipv6:%5Bfe80::1%25eth0%5D:1", "fe80:0:0:0::/64"),
        ("unix:/run/a", "unix:/run/a"), ("unknown", "unknown"),
    ]) func aNetworkIsWhatAClientCannotChange(peer: String, network: String) {
        #expect(PeerNetwork.of(peer) == network)
    }

    @Test func whatIsRefusedIsReportedToo() async throws {
        let reported = Mutex<[String]>([])
        var options = ServerOptions()
        options.maximumConcurrentCalls = 0
        options.onCompleted = { call in
            reported.withLock { $0.append("\(call.method.path) \(call.status.code.name) \(call.caller ?? "-")") }
        }
        let known = ServerMethod.stream(Method("/test.Streams/Known")) { _, call in call.identify(as: "alice") }
        try await withServer([echo, known], options: options) { channel, _ in
            for method in [echo.method, Method("/test.Echo/Nothing")] {
                await #expect(throws: RPCError.self) {
                    try await channel.unary(method, Message([]), timeout: .seconds(10))
                }
            }
            let end = try await channel.stream(known.method).receive()
            #expect(end == nil)
        }
        #expect(
            reported.withLock { $0 } == [
                "/test.Echo/Echo RESOURCE_EXHAUSTED -", "/test.Echo/Nothing UNIMPLEMENTED -",
                "/test.Streams/Known OK alice",
            ])
    }

    @Test func errorsOfEveryKindCarryTheTimeTheyTook() async throws {
        var options = ServerOptions()
        options.elapsedTrailer = "x-time"
        let failing = ServerMethod(Method("/test.Echo/Fail")) { _, _ in throw Status(code: .notFound, message: "") }
        let stream = ServerMethod.stream(Method("/test.Streams/Fail")) { stream, _ in
            try await stream.send(Message([1]))
            throw Status(code: .aborted, message: "")
        }
        try await withServer([failing, stream], options: options) { channel, _ in
            for method in [failing.method, Method("/test.Echo/Nothing")] {
                let error = await #expect(throws: RPCError.self) {
                    try await channel.unary(method, Message([]), timeout: .seconds(10))
                }
                #expect(error?.status.metadata["x-time"].flatMap { Int($0) } != nil, "\(method.path)")
            }
            let call = try channel.stream(stream.method)
            _ = try await call.receive()
            let error = await #expect(throws: RPCError.self) { try await call.receive() }
            #expect(error?.code == .aborted && error?.status.metadata["x-time"].flatMap { Int($0) } != nil)
        }
    }
}
