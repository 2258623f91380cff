internal import GRPC
internal import SubstrateModel

/// The images that a node has: `<directory>/sha256-<digest>/`, the root directory of an image whose name ends in
/// `@sha256:<digest>`, and any other directory below, by its path. Nothing is pulled from a registry.
package struct ImageStore: Sendable {
    let directory: String?

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
        guard DurableDirectory.exists(path), let path = RealPath.of(path) else {
            throw RuntimeFailure(
                .failedPrecondition, "this node does not have the image \(image.excerpt): unpack it into \(path)")
        }
        return RootFileSystem(path: path, name: digest, isNodes: false)
    }
    /// A directory that an operator has put there as a root.
    /// - Parameter path: an absolute path to it. Where it leads has to lie below the directory of the images: whoever writes
    ///   a template is not to choose among the node's own files.
    /// - Throws: `RuntimeFailure`.
    func rootFileSystem(at path: String) throws(RuntimeFailure) -> RootFileSystem {
        guard SnapshotURI("file://\(path)").filePath == path else {
            throw RuntimeFailure(
                .invalidArgument, "'rootfs:\(path.excerpt)' must be followed by an absolute path without '..'")
        }
        guard let directory = directory.flatMap(RealPath.of) else {
            throw RuntimeFailure(
                .failedPrecondition, "'rootfs:\(path.excerpt)' cannot be run: this node has no images (atelet --images)"
            )
        }
        guard let real = RealPath.of(path), real != directory, RealPath.is(real, below: directory) else {
            // Not whether there is something: that is nobody's business.
            throw RuntimeFailure(
                .failedPrecondition,
                "'rootfs:\(path.excerpt)' is no directory below \(directory), where this node has its images (atelet --images)"
            )
        }
        guard DurableDirectory.exists(real) else {
            throw RuntimeFailure(.failedPrecondition, "'rootfs:\(path.excerpt)' is not a directory")
        }
        return RootFileSystem(path: real, name: "rootfs:\(path)", isNodes: false)
    }
}
