internal import Foundation
internal import SubstrateModel

/// A TCP connection to an actor, as the node sees it.
struct Flow: Hashable, Sendable {
    var client: String
    var clientPort: UInt16
    var actor: String
    var actorPort: UInt16

    init(client: ActorAddress, actor: ActorAddress) {
        self.client = client.ip
        clientPort = UInt16(truncatingIfNeeded: client.port)
        self.actor = actor.ip
        actorPort = UInt16(truncatingIfNeeded: actor.port)
    }

    /// Reads `a.b.c.d . port . a.b.c.d . port` and whatever comes behind it.
    init?(_ text: Substring) {
        let parts = text.split(whereSeparator: \.isWhitespace).prefix(7)
        let fields = parts.filter { $0 != "." }
        guard parts.count == 7, fields.count == 4, let clientPort = UInt16(fields[1]),
            let actorPort = UInt16(fields[3])
        else { return nil }
        client = String(fields[0])
        self.clientPort = clientPort
        actor = String(fields[2])
        self.actorPort = actorPort
    }
}

extension Flow {
    /// What `nft list set` shows, with as many elements to a line as it likes.
    /// - Returns: nil when the end of it is missing, as where there was no room for it: nft does not notice.
    static func all(in text: String) -> [Flow]? {
        let depth = text.reduce(0) { $1 == "{" ? $0 + 1 : $1 == "}" ? $0 - 1 : $0 }
        guard depth == 0, text.contains("}") else { return nil }
        guard let start = text.range(of: "elements = {") else { return [] }
        return text[start.upperBound...].split(whereSeparator: { ",}".contains($0) }).compactMap { Flow($0) }
    }
}
