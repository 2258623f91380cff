internal import Foundation
internal import GRPC
internal import Glibc
internal import ServiceKit

extension WorkerNetwork {
    /// The elements of one of the worker's sets.
    /// - Parameter directory: for the answer of nft, which can be long.
    /// - Throws: `RuntimeFailure`, also when the answer does not fit there.
    func flows(_ set: String, in directory: String) async throws(RuntimeFailure) -> [Flow] {
        let file = "\(directory)/\(set)"
        try await ShortCommand.script(
            "exec nft -n list set inet \"$1\" \"$2\" >\"$3\"", [table, "\(set)_\(number)", file],
            to: "list the connections of \(namespace)")
        return try await BlockingThread.result { () throws(RuntimeFailure) in
            defer { unlink(file) }
            let text = FileManager.default.contents(atPath: file).map { String(decoding: $0, as: UTF8.self) } ?? ""
            guard let flows = Flow.all(in: text) else {
                throw RuntimeFailure(.internal, "cannot list the connections of an actor: no room for them in \(file)")
            }
            return flows
        }
    }
}
