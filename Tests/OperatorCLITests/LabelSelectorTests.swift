import ServiceKit
import SubstrateModel
import Testing

@testable import OperatorCLI

/// `-l`, as kubectl's users write it.
@Suite struct LabelSelectorTests {
    private let labels = ["size": "small", "zone": "a", "example.com/gpu": ""]

    private func matches(_ text: String) throws -> Bool { try LabelSelector.read(text).matches(labels) }

    @Test func everyConditionHasToHold() throws {
        for text in [
            "size=small", "size==small", "size = small", "size!=large", "none!=x", "size in (small,medium)",
            "size in (small)",
            "zone notin (b,c)", "none notin (b)", "size", "!none", "! none", "example.com/gpu", "example.com/gpu=",
            "size=small,zone in (a, b),!none,zone!=c",
        ] {
            #expect(try matches(text), "\(text)")
        }
        for text in [
            "size=large", "size!=small", "none=x", "size in (large,medium)", "zone notin (a,b)", "none", "!size",
            "size=", "size=small,zone=b", "none in (a)",
        ] {
            #expect(try !matches(text), "\(text)")
        }
    }

    @Test func whatIsNoConditionIsNamed() {
        func refusal(_ text: String) -> String {
            #expect(throws: FlagError.self) { try LabelSelector.read(text) }?.description ?? ""
        }
        #expect(refusal("a=b,").hasPrefix("-l a=b,: \"\": there is no condition"))
        #expect(refusal("a in (b").contains("a parenthesis is not closed"))
        #expect(refusal("a in b)").contains("the parentheses do not match"))
        #expect(refusal("a within (b)").contains("there is no operator within"))
        #expect(refusal("in (b)").contains("must be <key> in (<value>,...)"))
        #expect(refusal("a b=c").contains("the label key \"a b\" must be a name"))
        #expect(refusal("a=b=c").contains("the label value \"b=c\""))
        #expect(refusal("=x").contains("the label key \"\""))
        #expect(refusal("a>1").contains("the label key \"a>1\""))
    }
}
