import ServiceKit
import SubstrateModel
import Testing

@testable import OperatorCLI

@Suite struct ManifestTests {
    @Test func poolsAndTemplatesAreReadAndTheRestIsNamed() throws {
        let (manifests, warnings) = try Manifest.read(
            """
            apiVersion: ate.dev/v1alpha1
            kind: WorkerPool
            metadata: {name: small, labels: {size: small}}
            spec:
              replicas: 4
              sandboxClass: process
              ateomImage: registry/ateom@sha256:1
              colour: green
            ---
            # another kind
            apiVersion: v1
            kind: Namespace
            metadata: {name: x}
            ---
            apiVersion: ate.dev/v1alpha1
            kind: ActorTemplate
            metadata:
              namespace: team
              name: counter
            spec:
              sandboxClass: process
              pauseImage: registry/pause@sha256:2
              containers:
              - name: main
                command: [counter, --fast, 'yes']
                env:
                - {name: A, value: 1}
                - name: B
                  value: "two words"
                ports: [80]
                readyz: {httpGet: {port: 80}}
              snapshotsConfig: {location: "file:///s", onPause: Data, onCommit: Data}
              workerSelector: {matchLabels: {size: small}}
            """)
        guard case .pool(let pool) = manifests.first, case .template(let template) = manifests.last,
            manifests.count == 2
        else {
            Issue.record("expected a pool and a template, got \(manifests)")
            return
        }
        #expect(
            pool
                == WorkerPool(
                    ref: PoolRef(namespace: "default", name: "small"), labels: ["size": "small"], replicas: 4,
                    sandboxClass: .process))
        #expect(template.ref == TemplateRef(namespace: "team", name: "counter"))
        #expect(template.containers.first?.command == ["counter", "--fast", "yes"])
        #expect(template.containers.first?.environment.map(\.value) == ["1", "two words"])
        #expect(template.containers.first?.readiness == Container.Readiness(path: "/readyz", port: 80))
        #expect(template.onCommit == .data && template.snapshotLocation == "file:///s")
        #expect(template.workerSelector.matchLabels == ["size": "small"])
        #expect(ResourceRules.violation(of: template) == nil && ResourceRules.violation(of: pool) == nil)
        #expect(
            warnings == [
                "line 5: spec.colour has no effect here", "line 11: skipped: Namespace (v1) is not kept here",
                "line 24: spec.containers[0].ports has no effect here",
            ])
    }

    @Test(arguments: [
        ("kind: [", "line 2: did not find expected node content"),
        ("apiVersion: ate.dev/v1\nkind: WorkerPool\nspec: 3", "line 3: spec must be a mapping"),
        (
            "apiVersion: ate.dev/v1\nkind: WorkerPool\nspec: {replicas: many}",
            "line 3: spec.replicas must be a whole number"
        ),
        (
            "apiVersion: ate.dev/v1\nkind: WorkerPool\nspec: {sandboxClass: vm}",
            "spec.sandboxClass must be one of gvisor, microvm, process"
        ),
        ("apiVersion: ate.dev/v1\nkind: WorkerPool\nkind: WorkerPool", "line 3: kind is given twice"),
        ("a: &x 1\nb: *x", "line 2: anchors and aliases are not supported"),
        ("apiVersion: ate.dev/v1\nkind: ActorTemplate\nspec: {containers: [{name: a, volumeMounts: []}]}", ""),
        (
            "apiVersion: ate.dev/v1\nkind: ActorTemplate\nspec: {snapshotsConfig: {onCommit: Some}}",
            "spec.snapshotsConfig.onCommit must be Full or Data"
        ),
    ]) func mistakesComeWithTheirPlace(text: String, message: String) {
        do {
            _ = try Manifest.read(text)
            Issue.record("expected an error: \(message)")
        } catch {
            #expect(message.isEmpty ? "\(error)".contains("volumeMounts") : "\(error)" == message)
        }
    }

    @Test func whatNestsWithoutEndIsRefused() {
        #expect(throws: ManifestError.self) { try YAMLParser.documents(String(repeating: "[", count: 5000)) }
        #expect(throws: ManifestError.self) { try YAMLParser.documents(String(repeating: "x", count: 2 << 20)) }
        #expect(throws: ManifestError.self) { try YAMLParser.documents("a: \u{0}") }
    }

    @Test func yamlThatIsWrittenIsReadAgain() throws {
        let value = JSON.object([
            ("list", .array([.object([("a", "x"), ("b", .array(["1", "y"]))]), "text: with colon", ""])),
            ("word", "plain"), ("yes", "true"), ("number", "12"), ("empty", .array([])),
        ])
        let text = value.yaml
        #expect(
            text == """
                list:
                - a: x
                  b:
                  - "1"
                  - "y"
                - "text: with colon"
                - ""
                word: plain
                yes: "true"
                number: "12"
                empty: []

                """)
        #expect(try YAMLParser.documents(text).count == 1)
    }
}
