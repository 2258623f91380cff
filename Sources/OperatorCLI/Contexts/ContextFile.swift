internal import Foundation
internal import Identity
internal import ServiceKit

/// The file of contexts: YAML, for its owner's eyes only. Comments in it do not survive a change.
struct ContextFile {
    let path: String
    var current: String?
    var contexts: [ServerContext] = []

    var folder: String { URL(filePath: path).deletingLastPathComponent().path }

    /// Where the file is: `--config`, `ATECTL_CONFIG`, or the place that users' settings have; nil when nothing says where.
    static func path(_ values: Flags.Values, _ environment: [String: String]) -> String? {
        let named = values.optional("config") ?? environment["ATECTL_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        // Without symbolic links, which a change would otherwise put a file in the place of.
        if let named { return URL(filePath: named).resolvingSymlinksInPath().path }
        let settings: String
        if let folder = environment["XDG_CONFIG_HOME"], folder.hasPrefix("/") {
            settings = folder
        } else if let home = environment["HOME"], !home.isEmpty {
            settings = "\(home)/.config"
        } else {
            return nil
        }
        return URL(filePath: "\(settings)/atectl/config.yaml").resolvingSymlinksInPath().path
    }

    /// Reads the file. One that is not there has no contexts, unless the command line names it.
    /// - Parameter mayBeMissing: whether it may be missing even so.
    /// - Throws: `FlagError` when it cannot be read, or is not one of contexts.
    static func read(
        _ values: Flags.Values, _ environment: [String: String], mayBeMissing: Bool = false
    ) throws(FlagError) -> ContextFile {
        guard let path = path(values, environment) else {
            throw FlagError("there is no HOME in the environment: --config FILE says where the contexts are kept")
        }
        guard FileManager.default.fileExists(atPath: path) else {
            if values.isGiven("config"), !mayBeMissing {
                throw FlagError("--config \(path): there is no such file; atectl config set-context makes it")
            }
            return ContextFile(path: path)
        }
        guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8)
        else {
            throw FlagError("\(path): cannot be read as text; may this user read it?")
        }
        do throws(ManifestError) {
            return try ContextFile(path: path, text: text)
        } catch {
            throw FlagError("\(path): \(error)")
        }
    }

    private init(path: String) { self.path = path }

    private init(path: String, text: String) throws(ManifestError) {
        self.path = path
        let documents = try YAMLParser.documents(text).filter { !$0.isNull }
        guard let document = documents.first else { return }
        guard documents.count == 1 else { throw ManifestError("must be one YAML document") }
        let reader = try FieldReader(document, path: "")
        current = try reader.text("current-context")
        for entry in try reader.mappings("contexts") {
            guard let name = try entry.text("name"), !name.isEmpty else { throw entry.error("name", "is required") }
            if contexts.contains(where: { $0.name == name }) { throw entry.error("name", "\(name) is given twice") }
            var context = ServerContext(name: name, folder: folder)
            for field in ServerContext.fields { context.written[field.flag] = try entry.text(field.name) }
            // A certificate under a misspelt name would be one that is not used.
            if let unknown = entry.unread.first {
                let known = ServerContext.fields.map(\.name).joined(separator: ", ")
                throw entry.error(unknown, "is not known here; a context has name, \(known)")
            }
            contexts.append(context)
        }
        if let unknown = reader.unread.first {
            throw reader.error(unknown, "is not known here; only current-context and contexts are")
        }
    }

    /// The context of a name.
    /// - Throws: `FlagError` when there is none.
    func context(_ name: String) throws(FlagError) -> ServerContext {
        if let context = contexts.first(where: { $0.name == name }) { return context }
        let names = contexts.map(\.name)
        let nearest = Suggestion.nearest(to: name, of: names).map { " (did you mean \($0)?)" } ?? ""
        let known =
            names.isEmpty
            ? "it has none; atectl config set-context makes one" : "it has \(names.joined(separator: ", "))"
        throw FlagError("there is no context \(name)\(nearest) in \(path): \(known)")
    }

    /// As it is written.
    var text: String {
        let entries = contexts.map { context in
            JSON.object(
                [("name", .string(context.name))]
                    + ServerContext.fields.compactMap { field in
                        context.written[field.flag].map { (field.name, .string($0)) }
                    })
        }
        return JSON.object(
            (current.map { [("current-context", .string($0))] } ?? []) + [("contexts", .array(entries))]
        ).yaml
    }

    /// Puts the file in the place of the one that was read, at once and as a whole.
    func write() throws {
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw CommandError("\(folder): cannot make the folder: \(error.localizedDescription)")
        }
        try PrivateFile.replace(path, Array(text.utf8))
    }
}
