internal import Foundation
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// `apply -f FILE ...`: creates or replaces what the files declare. All files are read and checked before anything is
/// sent.
enum Apply {
    static let command = Command(
        words: ["apply"], summary: "creates or replaces pools, and creates templates, of YAML files",
        details: "Nothing is sent before all files have been read and checked. Fields without effect here are named.",
        examples: ["apply -f counter.yaml", "apply -f pools.yaml -f templates.yaml", "apply -f - < counter.yaml"],
        flags: { flags in
            flags.text(
                "filename", "FILE", isRepeatable: true, short: "f",
                help: "A file, of any number of documents; - for standard input. Required.")
            SharedFlags.timeout(&flags)
        },
        action: .alone { invocation in
            let files = invocation.values.all("filename")
            if files.isEmpty { throw FlagError("apply needs -f FILE, or -f - for standard input") }
            if files.count(where: { $0 == "-" }) > 1 { throw FlagError("-f - can be given only once") }
            var declared: [(file: String, manifest: Manifest)] = []
            for file in files {
                let (manifests, warnings) = try read(file)
                for warning in warnings { invocation.terminal.complain("warning: \(warning)\n") }
                declared += manifests.map { (file, $0) }
            }
            let api = try APIClient(invocation)
            for (file, manifest) in declared {
                let applied: String
                do throws(CommandError) {
                    applied = try await apply(manifest.resource, api)
                } catch {
                    throw CommandError("\(file): document \(manifest.document): \(error)")
                }
                try invocation.say("\(applied) applied")
            }
        })

    /// What a file declares, and warnings. The name of standard input is `-`.
    static func read(_ file: String) throws(CommandError) -> (manifests: [Manifest], warnings: [String]) {
        do throws(ManifestError) {
            let (manifests, warnings) = try Manifest.read(try text(of: file))
            return (manifests, warnings.map { "\(file): \($0)" })
        } catch {
            throw CommandError("\(file): \(error)")
        }
    }

    /// - Returns: what was applied.
    private static func apply(_ resource: Manifest.Resource, _ api: APIClient) async throws(CommandError) -> String {
        switch resource {
        case .pool(let pool):
            _ = try await api.call(ResourcesMethods.applyPool, PoolMessage(pool: pool))
            return "workerpool \"\(pool.ref)\""
        case .template(let template):
            _ = try await api.call(ResourcesMethods.applyTemplate, TemplateMessage(template: template))
            return "actortemplate \"\(template.ref)\""
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
