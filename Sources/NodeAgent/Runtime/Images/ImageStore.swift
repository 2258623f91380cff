internal import GRPC
internal import Glibc
internal import SubstrateModel

/// The images that a node has: `<directory>/sha256-<digest>/`, the root directory of an image whose name ends in
/// `@sha256:<digest>`, or the OCI archive `<directory>/sha256-<digest>.tar`, and any other directory below, by its path.
/// Nothing is pulled from a registry.
package struct ImageStore: Sendable {
    let directory: String?
    private let cache: ImageCache?

    /// - Parameters:
    ///   - directory: an absolute path; nil when the node has no images.
    ///   - cache: where archives are unpacked, a directory that is used for nothing else; nil when none are used.
    package init(directory: String?, cache: String? = nil) {
        self.directory = directory
        self.cache = cache.map(ImageCache.init)
    }

    /// Blocks.
    /// - Parameters:
    ///   - image: `<name>@sha256:<64 hexadecimal digits>`, of which only the digest counts.
    ///   - isCancelled: asked while an archive is unpacked.
    /// - Throws: `RuntimeFailure`.
    func rootFileSystem(
        of image: String, isCancelled: () -> Bool = { false }
    ) throws(RuntimeFailure) -> RootFileSystem {
        let parts = image.split(separator: "@", omittingEmptySubsequences: false)
        let digest = parts.last.map(String.init) ?? ""
        guard parts.count == 2, let hash = ImageDigest.hash(of: digest) else {
            throw RuntimeFailure(
                .invalidArgument, "the image \(image.excerpt) must end in '@sha256:' and 64 digits of 0-9a-f")
        }
        guard let directory else {
            throw RuntimeFailure(
                .failedPrecondition,
                "the image \(image.excerpt) cannot be run: this node has no images (atelet --images)")
        }
        let path = "\(directory)/sha256-\(hash)"
        if DurableDirectory.exists(path), let path = RealPath.of(path) {
            return RootFileSystem(path: path, name: digest, isNodes: false)
        }
        guard let cache, hasArchive(hash) else {
            throw RuntimeFailure(
                .failedPrecondition,
                "this node does not have the image \(image.excerpt): put it there as the OCI archive \(path).tar, or unpack it "
                    + "into \(path)")
        }
        var root = try cache.rootFileSystem(hash, of: OCIArchive(file: "\(path).tar"), isCancelled: isCancelled)
        root.name = digest
        return root
    }

    private func hasArchive(_ hash: String) -> Bool {
        directory.map { access("\($0)/sha256-\(hash).tar", R_OK) == 0 } ?? false
    }

    /// Whether we have unpacked it ourselves.
    func isUnpacked(_ root: RootFileSystem) -> Bool {
        cache.map { RealPath.is(root.path, below: $0.directory) } ?? false
    }

    /// Removes what is unpacked and has no archive any more. To be called while nothing runs. Blocks.
    func clear() { cache?.clear { hasArchive($0) } }

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
