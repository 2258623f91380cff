import Foundation
import LocalCluster
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// What takes a minute. With SUBSTRATE_FULL_TESTS=1.
@Suite(
    .serialized,
    .enabled(
        if: GVisorFixture.obstacle == nil && ProcessInfo.processInfo.environment["SUBSTRATE_FULL_TESTS"] == "1",
        "needs SUBSTRATE_FULL_TESTS=1, root and runsc"))
struct FullGVisorTests {
    @Test func fiftyActivationsInARowLeaveNothingBehind() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            let first = try await fixture.start(1)
            _ = try await first.ask("/remember?one")
            try await first.sandbox.checkpoint(to: fixture.uri("1"), .full, if: nil)
            let traces = try fixture.traces()
            for epoch in Int64(2)...50 {
                let actor = try await fixture.start(epoch, from: fixture.uri("\(epoch - 1)"))
                #expect(try await actor.ask("/words") == "one")
                try await actor.sandbox.checkpoint(to: fixture.uri("\(epoch)"), .full, if: nil)
                #expect(try fixture.traces() == traces)
            }
        }
        #expect(try fixture.traces() == [])
    }
}
