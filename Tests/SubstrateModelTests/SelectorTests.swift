import SubstrateModel
import Testing

/// Kubernetes' label selectors.
@Suite struct SelectorTests {
    typealias Requirement = Selector.Requirement

    @Test func aSelectorMatchesWhatHasAllItsLabels() {
        let selector = Selector(matchLabels: ["a": "1", "b": "2"])
        #expect(selector.matches(["a": "1", "b": "2", "c": "3"]))
        #expect(!selector.matches(["a": "1"]))
        #expect(!selector.matches(["a": "1", "b": "3"]))
        #expect(Selector().matches([:]))
    }

    /// What each operator says of a pool that has the label with a wanted value, with another, with an empty one, and not.
    @Test(arguments: [
        (Requirement(key: "size", operator: .isIn, values: ["s", "m"]), [true, false, false, false]),
        (Requirement(key: "size", operator: .isIn, values: ["s", ""]), [true, false, true, false]),
        (Requirement(key: "size", operator: .notIn, values: ["s", "m"]), [false, true, true, true]),
        (Requirement(key: "size", operator: .notIn, values: [""]), [true, true, false, true]),
        (Requirement(key: "size", operator: .exists), [true, true, true, false]),
        (Requirement(key: "size", operator: .doesNotExist), [false, false, false, true]),
    ])
    func operators(requirement: Requirement, expected: [Bool]) {
        let pools = [["size": "s"], ["size": "xl"], ["size": "", "zone": "s"], ["zone": "s"]]
        #expect(pools.map(requirement.matches) == expected)
    }

    @Test func labelsAndExpressionsHaveToHoldTogether() {
        let selector = Selector(
            matchLabels: ["size": "s"],
            matchExpressions: [
                Requirement(key: "zone", operator: .isIn, values: ["a", "b"]),
                Requirement(key: "zone", operator: .notIn, values: ["b"]),
                Requirement(key: "spot", operator: .doesNotExist),
            ])
        #expect(selector.matches(["size": "s", "zone": "a"]))
        #expect(!selector.matches(["size": "s", "zone": "b"]))
        #expect(!selector.matches(["size": "s", "zone": "a", "spot": ""]))
        #expect(!selector.matches(["zone": "a"]))
        #expect(!selector.matches(["size": "s"]))
    }

    @Test(arguments: [
        Requirement(key: "a", operator: .isIn, values: ["1", ""]),
        Requirement(key: "example.com/a", operator: .notIn, values: ["x.y_z-1"]),
        Requirement(key: "a", operator: .exists), Requirement(key: "a", operator: .doesNotExist),
        // Kubernetes bounds a prefix as a whole, not its labels.
        Requirement(key: String(repeating: "p", count: 100) + ".dev/a", operator: .exists),
    ])
    func requirementsThatAreAllowed(requirement: Requirement) {
        #expect(LabelRule.violation(of: Selector(matchExpressions: [requirement]), at: "s") == nil)
    }

    @Test(arguments: [
        (Requirement(key: "a", operator: .isIn), ".values must not be empty for In"),
        (Requirement(key: "a", operator: .notIn), ".values must not be empty for NotIn"),
        (Requirement(key: "a", operator: .exists, values: [""]), ".values must be empty for Exists"),
        (Requirement(key: "a", operator: .doesNotExist, values: ["v"]), ".values must be empty for DoesNotExist"),
        (Requirement(key: "", operator: .exists), ".key: the label key \"\" must be"),
        (Requirement(key: "a/b/c", operator: .exists), ".key: the label key \"a/b/c\" must be"),
        (Requirement(key: "Example.com/a", operator: .exists), ".key: the label key"),
        (
            Requirement(key: "a", operator: .isIn, values: ["ok", "not ok"]),
            ".values: the label value \"not ok\" must be"
        ),
        (
            Requirement(key: "a", operator: .notIn, values: [String(repeating: "v", count: 64)]),
            ".values: the label value"
        ),
    ])
    func requirementsThatAreNot(requirement: Requirement, problem: String) throws {
        let selector = Selector(matchExpressions: [Requirement(key: "x", operator: .exists), requirement])
        let violation = try #require(LabelRule.violation(of: selector, at: "spec.workerSelector"))
        #expect(violation.hasPrefix("spec.workerSelector.matchExpressions[1]" + problem), "\(violation)")
    }
}
