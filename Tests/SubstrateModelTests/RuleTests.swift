import SubstrateModel
import Testing

@Suite struct RuleTests {
    @Test(arguments: ["a", "0", "a-b", "a0", String(repeating: "a", count: 63)]) func namesThatAreAllowed(name: String)
    {
        #expect(NameRule.allows(name))
    }

    @Test(arguments: [
        "", "-", "-a", "a-", "A", "a.b", "a/b", "a_b", "a b", "ä", "a\0", "a\n", "..",
        String(repeating: "a", count: 64),
    ])
    func namesThatAreNot(name: String) {
        #expect(!NameRule.allows(name))
    }

    @Test func subdomainsAreLabelsWithDots() {
        #expect(NameRule.allowsSubdomain("a.b-c.d"))
        #expect(NameRule.allowsSubdomain(String(repeating: "a", count: 253)))
        for bad in [
            "", ".", "a.", ".a", "a..b", "A.b", "a/b", "-a.b", String(repeating: "A", count: 64),
            String(repeating: "a.", count: 127) + "a",
        ] {
            #expect(!NameRule.allowsSubdomain(bad))
        }
    }

    @Test(arguments: [
        ("size", "small"), ("example.com/size", ""), ("A_b.c-1", "X_y.z-9"), ("x", String(repeating: "v", count: 63)),
    ]) func labelsThatAreAllowed(label: (String, String)) {
        #expect(LabelRule.violation(of: [label.0: label.1]) == nil)
    }

    @Test(arguments: [
        ("", "v"), ("-a", "v"), ("a b", "v"), ("a/b/c", "v"), ("/a", "v"), ("Example.com/a", "v"), ("a", "-v"),
        ("a", "v v"), ("a", "v\0"), (String(repeating: "k", count: 64), "v"), ("k", String(repeating: "v", count: 64)),
    ]) func labelsThatAreNot(label: (String, String)) {
        #expect(LabelRule.violation(of: [label.0: label.1]) != nil)
    }

    @Test func aSnapshotLocationIsBounded() {
        func violation(_ length: Int) -> String? {
            let location = "file:///" + String(repeating: "s", count: length - 8)
            return ResourceRules.violation(
                of: ActorTemplate(
                    ref: TemplateRef(namespace: "n", name: "t"),
                    containers: [Container(name: "main", command: ["true"])], snapshotLocation: location,
                    onCommit: .data, sandboxClass: .process))
        }
        #expect(violation(1024) == nil)
        #expect(violation(1025) == "spec.snapshotsConfig.location must be no more than 1024 bytes")
    }
}
