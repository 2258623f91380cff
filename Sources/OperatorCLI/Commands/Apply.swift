internal import Foundation
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// `apply -f FILE`: creates or replaces what the file declares.
struct Apply {
    static func run(_ context: CommandContext) async throws {
        try context.refuseMore()
        let files = context.values.all("filename")
        if files.isEmpty { throw FlagError("apply needs -f FILE, or -f - for standard input") }
        for file in files {
            let read: (manifests: [Manifest], warnings: [String])
            do {
                read = try Manifest.read(try text(of: file))
            } catch {
                throw CommandError("\(file): \(error)")
            }
            for warning in read.warnings { FileHandle.standardError.write(Data("warning: \(file): \(warning)\n".utf8)) }
            for manifest in read.manifests { try await apply(manifest, context) }
        }
    }

    private static func apply(_ manifest: Manifest, _ context: CommandContext) async throws {
        switch manifest {
        case .pool(let pool):
            _ = try await context.call(ResourcesMethods.applyPool, PoolMessage(pool: pool))
            print("workerpool \"\(pool.ref)\" applied")
        case .template(let template):
            _ = try await context.call(ResourcesMethods.applyTemplate, TemplateMessage(template: template))
            print("actortemplate \"\(template.ref)\" applied")
        }
    }

    private static func text(of file: String) throws -> String {
        let data: Data?
        if file == "-" {
            data = try FileHandle.standardInput.readToEnd()
        } else {
            guard FileManager.default.fileExists(atPath: file) else { throw ManifestError("there is no such file") }
            data = FileManager.default.contents(atPath: file)
        }
        guard let data, let text = String(data: data, encoding: .utf8) else {
            throw ManifestError("not a readable UTF-8 text")
        }
        return text
    }
}
