internal import Foundation
internal import Processes
internal import Synchronization

/// The root directory of an actor that is one program of this machine, with the libraries that it is linked with.
enum LocalImage {
    /// Where the program is in it.
    static let program = "/bin/program"
    /// Where its libraries are, for LD_LIBRARY_PATH.
    static let libraries = "/lib"

    /// - Parameters:
    ///   - program: its path.
    ///   - directory: to be made.
    static func make(of program: String, in directory: String) async throws {
        let lines = Mutex<[String]>([])
        let process = try await ChildProcess.start(
            Command("/usr/bin/ldd", [program], output: .lines { line in lines.withLock { $0.append(line) } }))
        let status = await process.wait()
        let said = lines.withLock { $0 }
        guard status == .exited(code: 0) else {
            throw ClusterError("ldd \(program): \(said.joined(separator: " ")): it has to be built first")
        }
        try copy(program, to: directory + Self.program)
        for line in said {
            // `name => path (address)`; the loader has its path alone, and the kernel's own library none.
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            if words.count > 2, words[1] == "=>" {
                try copy(words[2], to: "\(directory)\(libraries)/\(words[0])")
            } else if let loader = words.first, loader.hasPrefix("/") {
                try copy(loader, to: directory + loader)
            }
        }
    }

    private static func copy(_ file: String, to target: String) throws {
        let files = FileManager.default
        if files.fileExists(atPath: target) { return }
        try files.createDirectory(
            atPath: URL(fileURLWithPath: target).deletingLastPathComponent().path, withIntermediateDirectories: true)
        try files.copyItem(
            at: URL(fileURLWithPath: file).resolvingSymlinksInPath(), to: URL(fileURLWithPath: target))
    }
}
