internal import Foundation
internal import GRPC
internal import Glibc
internal import Synchronization

/// The images of OCI archives, unpacked, each once: `<hash>/root`, and `<hash>/image.json` with what the image says of itself.
///
/// One is complete when it is there under its hash. It goes when its archive has gone, before the agent starts anything.
final class ImageCache: Sendable {
    let directory: String
    private let unpacked = Atomic(0)

    init(directory: String) { self.directory = directory }

    /// Unpacks the image unless it is there. Blocks.
    func rootFileSystem(
        _ hash: String, of archive: OCIArchive, isCancelled: () -> Bool
    ) throws(RuntimeFailure) -> RootFileSystem {
        let place = "\(directory)/\(hash)"
        if !DurableDirectory.exists(place) { try unpack(hash, of: archive, to: place, isCancelled) }
        let configuration: OCIArchive.Configuration
        do {
            configuration = try JSONDecoder().decode(
                OCIArchive.Configuration.self, from: Data(contentsOf: URL(fileURLWithPath: "\(place)/image.json")))
        } catch {
            throw RuntimeFailure(
                .internal, "the unpacked image \(place) is damaged, remove it: \(error.localizedDescription)")
        }
        return RootFileSystem(
            path: "\(place)/root", name: hash, isNodes: false, command: configuration.command,
            environment: configuration.environment)
    }

    /// Two starts may do this for the same image at once; the first to be ready counts.
    private func unpack(
        _ hash: String, of archive: OCIArchive, to place: String, _ isCancelled: () -> Bool
    ) throws(RuntimeFailure) {
        let number = unpacked.add(1, ordering: .relaxed).newValue
        let draft = "\(directory)/\(Self.draftPrefix)\(hash)-\(number)"
        defer { try? FileManager.default.removeItem(atPath: draft) }
        do {
            for path in ["\(draft)/root", "\(draft)/scratch"] {
                // Files in it may have any mode, so nobody else may come near.
                try FileManager.default.createDirectory(
                    atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            }
            guard chmod(directory, 0o700) == 0 else { throw FileError("change the mode of", directory) }
            let configuration = try archive.unpack(
                hash, into: "\(draft)/root", scratch: "\(draft)/scratch", isCancelled: isCancelled)
            // The image's own root is for whoever runs in it.
            guard chmod("\(draft)/root", 0o755) == 0 else { throw FileError("change the mode of", "\(draft)/root") }
            try FileManager.default.removeItem(atPath: "\(draft)/scratch")
            try JSONEncoder().encode(configuration).write(to: URL(fileURLWithPath: "\(draft)/image.json"))
            // Its name says that it is complete, also after the power has failed.
            Glibc.sync()
            guard rename(draft, place) == 0 || DurableDirectory.exists(place) else { throw FileError("rename", draft) }
            try DurableDirectory.sync(directory)
        } catch let failure as RuntimeFailure {
            throw failure
        } catch {
            throw RuntimeFailure(.internal, "cannot unpack \(archive.file) into \(directory): \(error)")
        }
    }

    /// Removes what was not completed, and images that are not wanted any more. To be called while nothing runs. Blocks.
    func clear(keeping isWanted: (_ hash: String) -> Bool) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [] where !isWanted(name) {
            try? FileManager.default.removeItem(atPath: "\(directory)/\(name)")
        }
    }

    private static let draftPrefix = "new-"
}
