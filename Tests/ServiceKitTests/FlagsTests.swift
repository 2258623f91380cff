import Foundation
import LocalCluster
import ServiceKit
import TestKit
import Testing

@Suite struct FlagsTests {
    private var flags: Flags {
        var flags = Flags(program: "prog", summary: "Does things.")
        flags.text("name", "NAME", help: "The name.")
        flags.text("file", "FILE", isRepeatable: true, short: "f", help: "A file.")
        flags.number("count", 1...10, default: 3, help: "How many.")
        flags.duration("wait", default: "5s", help: "How long.")
        flags.choice("output", ["table", "json"], default: "table", short: "o", help: "How shown.")
        flags.toggle("all", short: "A", help: "Everything.")
        flags.beginSection("Seldom needed")
        flags.toggle("watch", short: "w", help: "Go on.")
        return flags
    }

    private func parse(_ arguments: String...) throws -> Flags.Values {
        guard case .values(let values) = try flags.parse(arguments) else { throw FlagError("help") }
        return values
    }

    private func error(_ arguments: String...) -> String {
        do {
            _ = try flags.parse(arguments)
            return "none"
        } catch {
            return "\(error)"
        }
    }

    @Test func valuesComeFromTheLineOrFromTheDefaults() throws {
        let values = try parse("do", "--name", "x", "--count=7", "-f", "a", "--file=b", "-o", "json", "-A", "that", "-")
        #expect(try values.text("name") == "x")
        #expect(try values.number("count") == 7)
        #expect(values.all("file") == ["a", "b"])
        #expect(values.optional("output") == "json" && values.isSet("all"))
        #expect(values.operands == ["do", "that", "-"])
        #expect(try values.duration("wait") == .seconds(5))
        let defaults = try parse()
        #expect(try defaults.number("count") == 3)
        #expect(!defaults.isSet("all") && defaults.all("file").isEmpty)
    }

    @Test func lettersCanBePutTogetherAndTheirValuesBehindThem() throws {
        for line in [
            ["-Awo", "json"], ["-Awojson"], ["-Awo=json"], ["-A", "-w", "-ojson"], ["-A", "-w=true", "-o=json"],
        ] {
            guard case .values(let values) = try flags.parse(line) else { throw FlagError("help") }
            #expect(values.isSet("all") && values.isSet("watch") && values.optional("output") == "json", "\(line)")
            #expect(values.operands.isEmpty)
        }
        #expect(try parse("-fa=b").all("file") == ["a=b"])
        #expect(error("-Az") == "unknown flag -z in -Az; prog --help lists them")
        #expect(error("-AA") == "--all is given twice")
        #expect(error("-Ao") == "--output needs a value: --output table|json")
    }

    @Test func theFirstOperandIsFoundBehindFlags() throws {
        func operand(_ line: String...) throws -> Int? { try flags.indexOfFirstOperand(line[...]) }
        #expect(try operand("--name", "get", "-A", "do") == 3)
        #expect(try operand("do", "--nonsense") == 0)
        #expect(try operand("-A", "--help", "do") == nil)
        #expect(try operand() == nil)
        #expect(throws: FlagError.self) { try operand("--nonsense", "do") }
    }

    @Test func defaultsGiveWayToOthersAndThoseToWhatIsGiven() throws {
        let values = try parse("--name", "x").withDefaults(["name": "y", "output": "json"])
        #expect(values.optional("name") == "x" && values.optional("output") == "json")
        #expect(values.isGiven("name") && !values.isGiven("output"))
    }

    @Test func theNearestWordIsSuggested() {
        let words = ["get", "describe", "delete", "suspend"]
        for (typed, meant) in [
            ("gte", "get"), ("ge", "get"), ("descirbe", "describe"), ("delte", "delete"), ("suspned", "suspend"),
            ("xyzzy", nil), ("", nil), ("de", nil),
        ] {
            #expect(Suggestion.nearest(to: typed, of: words) == meant, "\(typed)")
        }
        #expect(Suggestion.nearest(to: "a", of: []) == nil)
    }

    @Test func mistakesAreNamedWithWhatToDo() throws {
        #expect(error("--nam", "x") == "unknown flag --nam (did you mean --name?); prog --help lists them")
        #expect(error("--zzz") == "unknown flag --zzz; prog --help lists them")
        #expect(error("-z") == "unknown flag -z; prog --help lists them")
        #expect(error("--outptu", "x") == "unknown flag --outptu (did you mean --output?); prog --help lists them")
        #expect(error("--name") == "--name needs a value: --name NAME")
        #expect(error("--name=") == "--name is empty")
        #expect(error("--count", "11") == "--count 11: not a number from 1 to 10")
        #expect(error("--count", "x") == "--count x: not a number from 1 to 10")
        #expect(error("--wait", "5") == "--wait 5: not a time such as 250ms, 5s, 10m or 24h")
        #expect(error("--output", "xml") == "--output xml: must be one of table, json")
        #expect(error("--all=maybe") == "--all takes no value")
        #expect(error("--name", "a", "--name", "b") == "--name is given twice")
        let error = #expect(throws: FlagError.self) { try parse().text("name") }
        #expect(error?.description == "--name is required; see prog --help")
    }

    @Test func helpNamesEveryFlagWithItsDefault() throws {
        guard case .help(let text) = try flags.parse(["--help"]) else {
            Issue.record("expected help")
            return
        }
        for part in [
            "Does things.", "prog [flags]", "--name NAME", "-f, --file FILE  (may be repeated)",
            "--count N  (default 3)", "table|json  (default table)",
            "\nFlags:\n  --name", "\nSeldom needed:\n  -w, --watch",
        ] {
            #expect(text.contains(part), "\(part)")
        }
    }

    @Test func timesHaveUnits() {
        #expect(Duration(flag: "250ms") == .milliseconds(250))
        #expect(Duration(flag: "10m") == .seconds(600))
        #expect(Duration(flag: "24h") == .seconds(86_400))
        for bad in ["", "s", "1", "-1s", "1.5s", "1d", "99999999999s"] { #expect(Duration(flag: bad) == nil) }
    }

    @Test func nothingButLoopbackIsListenedOnUnlessToldTo() throws {
        for address in ["127.0.0.1:80", "127.9.9.9:0", "localhost:1", "[::1]:1"] {
            try Loopback.check(address, isAllowedAnyway: false, flag: "--x")
        }
        for address in ["0.0.0.0:80", "10.0.0.1:80", "[::]:1", "127.0.0.1.example.com:1", ":80", "example.com:1"] {
            #expect(throws: FlagError.self, "\(address)") {
                try Loopback.check(address, isAllowedAnyway: false, flag: "--x")
            }
            try Loopback.check(address, isAllowedAnyway: true, flag: "--x")
        }
    }
}

/// Flags that come from a file.
@Suite struct ConfigurationFileTests {
    private let files = TemporaryDirectory()

    private func parse(_ text: String, _ arguments: String...) throws -> Flags.Values {
        var flags = Flags(program: "prog", summary: "Does things.")
        flags.text("name", "NAME", default: "nobody", help: "The name.")
        flags.text("file", "FILE", isRepeatable: true, help: "A file.")
        flags.number("count", 1...10, default: 3, help: "How many.")
        flags.toggle("all", help: "Everything.")
        flags.declareFile()
        let path = "\(files.path)/prog.conf"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        guard case .values(let values) = try flags.parse(["--config", path] + arguments) else {
            throw FlagError("help")
        }
        return values
    }

    @Test func theFileGivesWhatTheLineDoesNot() throws {
        let values = try parse(
            "# A comment.\n\n name =  two words = three  \r\nfile=a\nfile = b\ncount = 4\nall = true\n", "--count", "5")
        #expect(try values.text("name") == "two words = three")
        #expect(values.all("file") == ["a", "b"])
        #expect(try values.number("count") == 5)
        #expect(values.isSet("all") && values.isGiven("name"))
        #expect(try parse("file = a", "--file", "b").all("file") == ["b"])
        #expect(try parse("").text("name") == "nobody")
    }

    @Test(arguments: [
        ("name", "prog.conf:1: must be <name of a flag> = <value>"),
        ("\n= x", "prog.conf:2: must be <name of a flag> = <value>"),
        ("nam = x", "prog.conf:1: unknown flag nam (did you mean --name?)"),
        ("--name = x", "prog.conf:1: unknown flag --name"),
        ("config = x", "prog.conf:1: unknown flag config"),
        ("count = 11", "prog.conf:1: --count 11: not a number from 1 to 10"),
        ("all = yes", "prog.conf:1: --all takes no value"),
        ("name =", "prog.conf:1: --name is empty"),
        ("name = a\nname = b", "prog.conf:2: name is given twice"),
    ])
    func whatIsWrongIsSaidWithItsLine(text: String, problem: String) {
        let error = #expect(throws: FlagError.self) { try parse(text) }
        #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
    }

    @Test func aFileThatIsNotThereIsNamed() {
        var flags = Flags(program: "prog", summary: "Does things.")
        flags.declareFile()
        let error = #expect(throws: FlagError.self) { try flags.parse(["--config", "/no/such/file"]) }
        #expect(error?.description.hasPrefix("--config /no/such/file: cannot be read: ") == true)
    }

    @Test func theReleaseIsSaid() throws {
        let flags = Flags(program: "prog", summary: "Does things.")
        guard case .help(let text) = try flags.parse(["--version"]) else { throw FlagError("values") }
        #expect(text == "prog \(Version.current)\n")
    }
}
