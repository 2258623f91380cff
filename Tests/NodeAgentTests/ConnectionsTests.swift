import Foundation
import Glibc
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// Which actors somebody is connected to, by what the kernel lists.
@Suite struct ConnectionsTests {
    private func line(_ local: String, _ state: String) -> String {
        "   0: \(local) 0100007F:C350 \(state) 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0"
    }

    private func addresses(_ lines: String...) -> Set<ActorAddress> {
        Connections.openAddresses(in: (["  sl  local_address rem_address   st"] + lines).joined(separator: "\n"))
    }

    @Test func anOpenConnectionIsOneOfItsLocalAddress() {
        let address = ActorAddress(ip: "127.0.1.2", port: 8080)
        for state in ["01", "03", "08", "0C"] { #expect(addresses(line("0201007F:1F90", state)) == [address]) }
        #expect(addresses(line("0000000000000000FFFF00000201007F:1F90", "01")) == [address])
    }

    @Test func whatListensOrIsOverIsNone() {
        for state in ["02", "04", "05", "06", "07", "09", "0A", "0B"] {
            #expect(addresses(line("0201007F:1F90", state)).isEmpty)
        }
        #expect(addresses(line("00000000000000000000000001000000:1F90", "01")).isEmpty)
        #expect(addresses("", "nonsense", line("zz:zz", "01"), line("0201007F", "01")).isEmpty)
    }

    private func pointing(
        at address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> Int32
    ) -> Int32 {
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) }
        }
    }

    @Test func theKernelListsAConnectionFromItsBeginningToItsEnd() throws {
        let ip = "127.77.0.1"
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr(ip)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        try #require(pointing(at: &address) { bind(listener, $0, length) } == 0)
        try #require(listen(listener, 5) == 0)
        try #require(pointing(at: &address) { getsockname(listener, $0, &length) } == 0)
        let place = ActorAddress(ip: ip, port: Int(UInt16(bigEndian: address.sin_port)))
        #expect(try !Connections.openAddresses().contains(place))

        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(pointing(at: &address) { connect(client, $0, length) } == 0)
        // Nobody has accepted it yet, as nobody does while an actor is stopped for a checkpoint.
        #expect(try Connections.openAddresses().contains(place))
        let served = accept(listener, nil, nil)
        close(client)
        // The answer may still be under way.
        #expect(try Connections.openAddresses().contains(place))
        close(served)
        #expect(try !Connections.openAddresses().contains(place))
    }
}
