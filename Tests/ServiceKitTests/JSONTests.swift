import Foundation
import ServiceKit
import Testing

@Suite struct JSONTests {
    @Test func whatIsWrittenIsReadByOthers() throws {
        let text = "quote \" backslash \\ line \n tab \t bell \u{7} ümlaut 🎭"
        let value = JSON.object([
            ("text", .string(text)), ("number", 7), ("fraction", .number(0.25)), ("yes", true), ("none", .number(.nan)),
            ("list", ["a", 1, false]), ("empty", .array([])), ("inner", .object([("k", .object([]))])),
        ])
        for written in [value.text(), value.text(indentation: 2)] {
            let read = try #require(try JSONSerialization.jsonObject(with: Data(written.utf8)) as? [String: Any])
            #expect(read["text"] as? String == text)
            #expect(read["number"] as? Int == 7 && read["fraction"] as? Double == 0.25 && read["yes"] as? Bool == true)
            #expect(read["none"] is NSNull)
            #expect((read["list"] as? [Any])?.count == 3)
        }
        #expect(!value.text().contains("\n"))
    }

    @Test func theIndentedFormIsThatOfTheReferencesTools() {
        let value = JSON.object([("a", .array([.object([("b", "c")])])), ("d", .object([]))])
        #expect(value.text(indentation: 2) == "{\n  \"a\": [\n    {\n      \"b\": \"c\"\n    }\n  ],\n  \"d\": {}\n}")
    }
}
