import Testing

/// The scenarios with Envoy.
@Suite(.enabled(if: TestedProxy.envoyProgram != nil, "there is no Envoy here; scripts/deps envoy installs it"))
struct EnvoyTests {
    private let scenarios = ProxyScenarios(proxy: .envoy)

    @Test func anActorThatIsKnownToRunIsReachedWithoutACall() async throws {
        try await scenarios.anActorThatIsKnownToRunIsReachedWithoutACall()
    }
    @Test func anActorThatMovesIsFollowed() async throws { try await scenarios.anActorThatMovesIsFollowed() }
    @Test func anActorThatSomebodyHasInHandIsAskedFor() async throws {
        try await scenarios.anActorThatSomebodyHasInHandIsAskedFor()
    }
    @Test func aStaleDestinationIsLookedUpAgain() async throws {
        try await scenarios.aStaleDestinationIsLookedUpAgain()
    }
    @Test func aStreamedBodyIsSentToTheRightPlaceAtOnce() async throws {
        try await scenarios.aStreamedBodyIsSentToTheRightPlaceAtOnce()
    }
    @Test func aLargeUploadReachesItsActorWhole() async throws {
        try await scenarios.aLargeUploadReachesItsActorWhole()
    }
    @Test func aRequestThatAnActorHasBegunToReadIsNotSentAgain() async throws {
        try await scenarios.aRequestThatAnActorHasBegunToReadIsNotSentAgain()
    }
    @Test func anActorThatRefusesForAMomentIsTriedAgain() async throws {
        try await scenarios.anActorThatRefusesForAMomentIsTriedAgain()
    }
    @Test func newsOfTheActorEndsThePause() async throws { try await scenarios.newsOfTheActorEndsThePause() }
    @Test func anActorThatStaysAwayIsGivenUp() async throws { try await scenarios.anActorThatStaysAwayIsGivenUp() }
    @Test func theHeaderNamesTheActorToo() async throws { try await scenarios.theHeaderNamesTheActorToo() }
    @Test func whatOnlyWeMaySayIsNotTakenFromClients() async throws {
        try await scenarios.whatOnlyWeMaySayIsNotTakenFromClients()
    }
    @Test func eventsArriveOneByOne() async throws { try await scenarios.eventsArriveOneByOne() }
    @Test func webSocketsPass() async throws { try await scenarios.webSocketsPass() }
    @Test func aRefusalComesWithItsCodeAndText() async throws { try await scenarios.aRefusalComesWithItsCodeAndText() }
    @Test func certificatesAreRotated() async throws { try await scenarios.certificatesAreRotated() }
    @Test func aThousandFirstRequestsCauseOneResumeAndAllAreAnswered() async throws {
        try await scenarios.manyFirstRequestsCauseOneResume(1000)
    }
}
