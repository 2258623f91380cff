internal import Foundation
internal import GRPC
internal import Glibc
internal import SubstrateModel

/// An image as one file: the tar archive of an image layout of the Open Container Initiative, as `skopeo copy ...
/// oci-archive:FILE` and `podman save --format oci-archive` write it. Everything in it is found by its digest, and checked
/// against it. All functions block.
struct OCIArchive {
    let file: String

    /// What an image says of itself beside its files.
    struct Configuration: Codable, Equatable {
        var command: [String]
        /// `NAME=value`.
        var environment: [String]
    }

    /// Unpacks an image.
    /// - Parameters:
    ///   - hash: of its manifest, or of an index of manifests for several platforms: 64 hexadecimal digits.
    ///   - directory: for its files; empty.
    ///   - scratch: for what is needed meanwhile; empty, on the same disk.
    /// - Throws: `RuntimeFailure` when it is not whole, not this machine's, or would write elsewhere.
    func unpack(
        _ hash: String, into directory: String, scratch: String, isCancelled: () -> Bool
    ) throws(RuntimeFailure) -> Configuration {
        do throws(ArchiveError) {
            try Archive.unpack(file, into: scratch, isCancelled: isCancelled)
        } catch {
            throw broken("\(error)")
        }
        let blobs = Blobs(directory: "\(scratch)/blobs/sha256", of: self)
        let manifest = try manifest(hash, blobs)
        let image = try blobs.decode(Image.self, manifest.config)
        guard image.architecture == Self.architecture, image.os == "linux" else {
            throw broken("it is for \(image.os.excerpt)/\(image.architecture.excerpt)")
        }
        for layer in manifest.layers {
            let path = try blobs.checked(layer, isCancelled)
            do throws(ArchiveError) {
                try Archive.apply(layer: path, to: directory, isCancelled: isCancelled)
            } catch {
                throw broken("layer \(layer.digest.excerpt): \(error)")
            }
        }
        return Configuration(
            command: (image.config?.entrypoint ?? []) + (image.config?.command ?? []),
            environment: image.config?.environment ?? [])
    }

    private func manifest(_ hash: String, _ blobs: Blobs) throws(RuntimeFailure) -> Manifest {
        let named = try blobs.decode(ManifestOrIndex.self, Descriptor(digest: "sha256:\(hash)"))
        if let config = named.config, let layers = named.layers { return Manifest(config: config, layers: layers) }
        let fitting = named.manifests?.first {
            $0.platform?.os == "linux" && $0.platform?.architecture == Self.architecture
        }
        guard let fitting else { throw broken("it has no image for linux/\(Self.architecture)") }
        // An index of indices would be possible; nobody makes them.
        let found = try blobs.decode(ManifestOrIndex.self, fitting)
        guard let config = found.config, let layers = found.layers else { throw broken("its manifest has no layers") }
        return Manifest(config: config, layers: layers)
    }

    fileprivate func broken(_ reason: String) -> RuntimeFailure {
        RuntimeFailure(.failedPrecondition, "the image in \(file) cannot be used: \(reason)")
    }

    /// As the Open Container Initiative names it.
    static var architecture: String {
        #if arch(x86_64)
            "amd64"
        #elseif arch(arm64)
            "arm64"
        #else
            "unknown"
        #endif
    }

    // MARK: What the documents in it say, as far as it concerns us

    fileprivate struct Descriptor: Decodable {
        var digest: String
        var platform: Platform?
    }

    fileprivate struct Platform: Decodable {
        var architecture: String
        var os: String
    }

    private struct ManifestOrIndex: Decodable {
        var config: Descriptor?
        var layers: [Descriptor]?
        var manifests: [Descriptor]?
    }

    private struct Manifest {
        var config: Descriptor
        var layers: [Descriptor]
    }

    private struct Image: Decodable {
        struct Process: Decodable {
            var environment: [String]?
            var entrypoint: [String]?
            var command: [String]?

            enum CodingKeys: String, CodingKey {
                case environment = "Env"
                case entrypoint = "Entrypoint"
                case command = "Cmd"
            }
        }

        var architecture: String
        var os: String
        var config: Process?
    }
}

/// The parts of an image, each a file that is named by what is in it.
private struct Blobs {
    let directory: String
    let of: OCIArchive

    /// Largest document, in bytes.
    private static let documentLimit = 4 << 20

    /// The file of a blob that is what its name says.
    func checked(
        _ descriptor: OCIArchive.Descriptor, _ isCancelled: () -> Bool = { false }
    ) throws(RuntimeFailure) -> String {
        guard let hash = ImageDigest.hash(of: descriptor.digest) else {
            throw of.broken("\(descriptor.digest.excerpt) is no digest of SHA-256")
        }
        let path = "\(directory)/\(hash)"
        let digest: FileDigest
        do throws(FileError) { digest = try FileDigest(of: path, isCancelled: isCancelled) } catch {
            throw of.broken("\(error)")
        }
        guard digest.hash == hash else { throw of.broken("\(descriptor.digest) is not what its digest says") }
        return path
    }

    func decode<Document: Decodable>(
        _ type: Document.Type, _ descriptor: OCIArchive.Descriptor
    ) throws(RuntimeFailure) -> Document {
        let path = try checked(descriptor)
        do {
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? .max
            guard size <= Self.documentLimit else { throw ArchiveError("it has \(size) bytes") }
            return try JSONDecoder().decode(type, from: Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw of.broken("the document \(descriptor.digest) cannot be read: \(error)")
        }
    }
}

/// `sha256:<64 hexadecimal digits>`, which is how images name things.
enum ImageDigest {
    /// The digits; nil when it is none.
    static func hash(of digest: some StringProtocol) -> String? {
        let hash = digest.dropFirst(7)
        guard digest.hasPrefix("sha256:"), hash.utf8.count == 64,
            hash.utf8.allSatisfy({
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            })
        else { return nil }
        return String(hash)
    }
}
