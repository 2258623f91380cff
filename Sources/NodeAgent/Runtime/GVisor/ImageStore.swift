internal import GRPC
internal import SubstrateModel

/// The images that a node has: `<directory>/sha256-<digest>/`, the root directory of an image whose name ends in
/// `@sha256:<digest>`. Nothing is pulled from a registry.
package struct ImageStore: Sendable {
    private let directory: String?

    /// - Parameter directory: an absolute path; nil when the node has no images.
    package init(directory: String?) { self.directory = directory }

    /// - Parameter image: `<name>@sha256:<64 hexadecimal digits>`, of which only the digest counts.
    /// - Throws: `RuntimeFailure`.
    func rootFileSystem(of image: String) throws(RuntimeFailure) -> RootFileSystem {
        let parts = image.split(separator: "@", omittingEmptySubsequences: false)
        let digest = parts.last.map(String.init) ?? ""
        guard parts.count == 2, digest.hasPrefix("sha256:"), case let hash = digest.dropFirst(7), hash.utf8.count == 64,
            hash.utf8.allSatisfy({
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            })
        else {
            throw RuntimeFailure(
                .invalidArgument, "the image \(image.excerpt) must end in '@sha256:' and 64 digits of 0-9a-f")
        }
        guard let directory else {
            throw RuntimeFailure(
                .failedPrecondition,
                "the image \(image.excerpt) cannot be run: this node has no images (atelet --images)")
        }
        let path = "\(directory)/sha256-\(hash)"
        guard DurableDirectory.exists(path) else {
            throw RuntimeFailure(
                .failedPrecondition, "this node does not have the image \(image.excerpt): unpack it into \(path)")
        }
        return RootFileSystem(path: path, isNodes: false)
    }
}
