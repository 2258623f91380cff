import Glibc
import Testing

@testable import NodeAgent

/// What `QuietConnections` reads and sends.
@Suite struct QuietConnectionsTests {
    @Test func everyElementOfASetIsRead() throws {
        let text = """
            table inet ate_00000000 {
            \tset flows_3 {
            \t\ttype ipv4_addr . inet_service . ipv4_addr . inet_service
            \t\tsize 65536
            \t\tflags dynamic,timeout
            \t\telements = { 169.254.77.1 . 42240 . 198.18.0.1 . 80 timeout 30d expires 2m7s132ms, 10.0.0.9 . 1 . 198.18.0.1 . 80,
            \t\t\t     169.254.77.1 . 42241 . 198.18.0.1 . 8080 timeout 30d expires 29d1h }
            \t}
            }
            """
        let flows = try #require(Flow.all(in: text))
        #expect(flows.map(\.clientPort) == [42_240, 1, 42_241])
        #expect(flows.map(\.client) == ["169.254.77.1", "10.0.0.9", "169.254.77.1"])
        #expect(flows.map(\.actorPort) == [80, 80, 8080])
    }

    @Test func anEmptySetHasNone() {
        #expect(Flow.all(in: "table inet t {\n\tset alive_0 {\n\t\tflags dynamic\n\t}\n}") == [])
    }

    /// On a full disk nft ends as if nothing were, and a connection that is not known costs an actor its memory.
    @Test func aListThatIsCutOffIsNone() {
        let text = "table inet t {\n\tset flows_0 {\n\t\telements = { 10.0.0.9 . 1 . 198.18.0.1 . 80 }\n\t}\n}\n"
        #expect(Flow.all(in: text)?.count == 1)
        for length in 0..<text.count - 1 { #expect(Flow.all(in: String(text.prefix(length))) == nil) }
    }

    @Test func theChecksumOfASegmentIsThatOfItsRFC() {
        var source = in_addr()
        var target = in_addr()
        inet_pton(AF_INET, "192.168.0.1", &source)
        inet_pton(AF_INET, "192.168.0.2", &target)
        let segment = TCPSegment.header(.syn, from: source, port: 1, to: target, port: 2, number: 0x0102_0304)
        #expect(segment.count == 20)
        // Adding everything up, with the checksum in it, has to give ones only.
        let bytes: [UInt8] = [192, 168, 0, 1, 192, 168, 0, 2, 0, 6, 0, 20] + segment
        var sum = stride(from: 0, to: bytes.count, by: 2).reduce(0) { $0 + Int(bytes[$1]) << 8 + Int(bytes[$1 + 1]) }
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        #expect(sum == 0xffff)
    }
}
