/// The places that a server has for calls. Whoever takes one gives it back.
struct Places {
    private var calls = 0
    private var streams = 0
    private var streamsOfNetworks: [String: Int] = [:]

    /// Takes a place for a call with one request and one response.
    /// - Returns: why there is none, or nil.
    mutating func takeForCall(_ options: ServerOptions) -> String? {
        if calls >= options.maximumConcurrentCalls { return "\(calls) calls are already being handled" }
        calls += 1
        return nil
    }

    mutating func giveBackOfCall() { calls -= 1 }

    /// Takes a place for a stream.
    /// - Returns: why there is none, or nil.
    mutating func takeForStream(of network: String, _ options: ServerOptions) -> String? {
        if streams >= options.maximumConcurrentStreams { return "\(streams) streams are already open" }
        let own = streamsOfNetworks[network, default: 0]
        if own >= options.maximumStreamsPerNetwork { return "\(own) streams are already open from \(network)" }
        streams += 1
        streamsOfNetworks[network] = own + 1
        return nil
    }

    mutating func giveBackOfStream(of network: String) {
        streams -= 1
        guard let own = streamsOfNetworks[network] else { return }
        streamsOfNetworks[network] = own > 1 ? own - 1 : nil
    }
}
