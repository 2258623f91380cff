import Testing

@testable import Identity

@Suite struct Base64URLTests {
    @Test(arguments: [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE")])
    func vectorsOfTheStandard(text: String, encoded: String) {
        #expect(Base64URL.encode(text.utf8) == encoded)
        #expect(Base64URL.decode(encoded) == Array(text.utf8))
    }

    @Test func everyByteComesBack() {
        let bytes = (0...255).map { UInt8($0) }
        #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
        #expect(Base64URL.encode([0xfb, 0xff]) == "-_8")
    }

    /// A second text for the same bytes would let a token look new.
    @Test(arguments: ["Z", "Zg=", "Zg==", "Zh", "Zm9", "Zm 9v", "Zm9v\n", "+_8", "-/8", "Zm9vY", "é"])
    func otherTextsAreRefused(text: String) { #expect(Base64URL.decode(text) == nil) }
}
