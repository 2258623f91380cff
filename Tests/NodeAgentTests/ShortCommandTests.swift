import GRPC
import Testing

@testable import NodeAgent

/// Programs with a limit.
@Suite struct ShortCommandTests {
    @Test func aProgramIsEndedWhenItsTimeIsOver() async throws {
        let failure = await #expect(throws: RuntimeFailure.self) {
            try await ShortCommand.run("sleep", ["600"], to: "wait", within: .milliseconds(50))
        }
        #expect(failure?.code == .deadlineExceeded)
    }

    @Test func theTimeInWhichItIsHeldDoesNotCount() async throws {
        try await ShortCommand.run("sleep", ["0.3"], to: "wait", within: .milliseconds(50), isHeld: { _ in true })
    }
}
