internal import Foundation
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// `apply -f FILE ...`: creates or replaces what the files declare. All files are read and checked before anything is
/// sent.
struct Apply {
    static func run(_ context: CommandContext) async throws {
        try context.refuseMore()
        let files = context.values.all("filename")
        if files.isEmpty { throw FlagError("apply needs -f FILE, or -f - for standard input") }
        if files.count(where: { $0 == "-" }) > 1 { throw FlagError("-f - can be given only once") }
        var declared: [(file: String, manifest: Manifest)] = []
        for file in files {
            let (manifests, warnings) = try read(file)
            for warning in warnings { FileHandle.standardError.write(Data("warning: \(warning)\n".utf8)) }
            declared += manifests.map { (file, $0) }
        }
        for (file, manifest) in declared {
            do {
                try await apply(manifest.resource, context)
            } catch let error as CommandError {
                throw CommandError("\(file): document \(manifest.document): \(error)")
            }
        }
    }

    /// What a file declares, and warnings. The name of standard input is `-`.
    static func read(_ file: String) throws(CommandError) -> (manifests: [Manifest], warnings: [String]) {
        do throws(ManifestError) {
            let (manifests, warnings) = try Manifest.read(try text(of: file))
            return (manifests, warnings.map { "\(file): \($0)" })
        } catch {
            throw CommandError("\(file): \(error)")
        }
    }

    private static func apply(_ resource: Manifest.Resource, _ context: CommandContext) async throws {
        switch resource {
        case .pool(let pool):
            _ = try await context.call(ResourcesMethods.applyPool, PoolMessage(pool: pool))
            print("workerpool \"\(pool.ref)\" applied")
        case .template(let template):
            _ = try await context.call(ResourcesMethods.applyTemplate, TemplateMessage(template: template))
            print("actortemplate \"\(template.ref)\" applied")
        }
    }

    private static func text(of file: String) throws(ManifestError) -> String {
        let data: Data?
        if file == "-" {
            data = try? FileHandle.standardInput.readToEnd() ?? Data()
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
