import Etcd
import LocalCluster
import TestKit
import Testing

/// Sizes, calls under way, and what the hooks are told.
@Suite struct LimitTests {
    @Test func aRequestAboveTheLimitFailsBeforeItIsSent() async throws {
        var options = EtcdOptions()
        options.limits.maximumRequestSize = 10_000
        let client = try await TestEtcd.server().client(options)
        let error = await #expect(throws: EtcdError.self) {
            try await client.put("/limits/a", [UInt8](repeating: 0, count: 20_000))
        }
        #expect(error?.code == .tooLarge && error?.outcome == .notApplied)
    }

    @Test func anAnswerAboveTheLimitIsRefused() async throws {
        let server = try await TestEtcd.server()
        let key = Key("/limits-\(UInt64.random(in: .min ... .max))")
        try await server.client().put(key, [UInt8](repeating: 0, count: 50_000))
        var options = EtcdOptions()
        options.limits.maximumResponseSize = 10_000
        let error = await #expect(throws: EtcdError.self) { try await server.client(options).range(.key(key)) }
        #expect(error?.code == .tooLarge)
    }

    @Test func callsBeyondTheLimitWaitForTheirTurnWithinTheirDeadlines() async throws {
        try await TestEtcd.withServer { server in
            let proxy = try FaultProxy(target: server.endpoint)
            proxy.set { $0.swallowsResponses = true }
            var options = EtcdOptions()
            options.limits.maximumCallsInFlight = 2
            options.limits.maximumCallsWaiting = 3
            options.callTimeout = .seconds(30)
            options.attemptTimeout = .seconds(30)
            let client = EtcdClient(endpoints: [proxy.endpoint], options: options)
            let running = (0..<2).map { _ in Task { try await client.range(.key("a")) } }
            try await eventually("two are under way") { proxy.connections == 1 }
            // One that waits gives up at its own deadline, or when it is cancelled.
            let late = await #expect(throws: EtcdError.self) {
                try await EtcdDeadline.$current.withValue(.now + .milliseconds(200)) {
                    try await client.range(.key("b"))
                }
            }
            #expect(late?.code == .deadlineExceeded && late?.outcome == .notApplied)
            // Six more: three wait, three find the queue full.
            let refused = Collected<EtcdError>()
            let waiting = (0..<6).map { _ in
                Task {
                    do {
                        return try await client.range(.key("c"))
                    } catch let error as EtcdError where error.code == .tooManyRequests {
                        refused.append(error)
                        throw error
                    }
                }
            }
            try await eventually("the queue is full") { refused.all.count == 3 }
            #expect(refused.all.allSatisfy { $0.outcome == .notApplied })
            for task in waiting + running { task.cancel() }
            var cancelled = 0
            for task in waiting + running {
                if case .failure(let error as EtcdError) = await task.result, error.code == .cancelled {
                    cancelled += 1
                }
            }
            #expect(cancelled == 5)
            // Every place has been given back.
            proxy.set { $0.swallowsResponses = false }
            proxy.cutAll()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<5 { group.addTask { _ = try await client.range(.key("e")) } }
                try await group.waitForAll()
            }
        }
    }

    @Test func theHooksAreToldOfEveryAttempt() async throws {
        let recorder = EtcdRecorder()
        var options = EtcdOptions()
        options.hooks = recorder.hooks
        let server = try await TestEtcd.server()
        let client = EtcdClient(endpoints: ["127.0.0.1:1", server.endpoint], options: options)
        try await client.put("/hooks/a", [1])
        _ = try await client.range(.key("/hooks/a"))
        let attempts = recorder.measured.compactMap { measurement -> String? in
            guard case .attempt(let method, let endpoint, let duration, let failure) = measurement else { return nil }
            #expect(duration > .zero)
            return "\(method) \(endpoint == server.endpoint ? "server" : "nobody") \(failure.map { "\($0)" } ?? "ok")"
        }
        #expect(attempts == ["Put nobody unavailable", "Put server ok", "Range server ok"])
        #expect(recorder.retries == 1 && recorder.moves == 1)
        guard case .movedOn(let from, let to, _) = recorder.logged.first else {
            Issue.record("expected to be told of the other member first")
            return
        }
        #expect(from == "127.0.0.1:1" && to == server.endpoint)
    }
}
