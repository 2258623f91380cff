internal import ProgramKit
internal import ServiceKit

/// Flags that several commands have.
enum SharedFlags {
    static let defaultEndpoint = "127.0.0.1:7300"

    /// How the control plane is reached.
    static func connection(_ flags: inout Flags) {
        flags.text(
            "endpoint", "ADDRESS",
            help:
                "The control plane's API, host:port. Without it and without --context: ATE_ENDPOINT of the environment, the current context, \(defaultEndpoint). With it no context is used unless --context names one."
        )
        TLSFlags.declareClient("api", of: "the control plane", in: &flags)
        TokenFlag.declare("api", of: "the control plane", in: &flags)
    }

    /// Which of the known servers is meant.
    static func context(_ flags: inout Flags) {
        flags.text("context", "CONTEXT", help: "The context to use; other flags come before what it says.")
    }

    /// Where the known servers are kept.
    static func contextFile(_ flags: inout Flags) {
        flags.text(
            "config", "FILE",
            help:
                "Where the contexts are kept, if not in ATECTL_CONFIG of the environment, or atectl/config.yaml in XDG_CONFIG_HOME or ~/.config."
        )
    }

    static func timeout(_ flags: inout Flags) {
        flags.duration(
            "timeout", default: "60s",
            help: "How long one call may take, and how long a broken watch tries to get back.")
    }

    static func atespace(_ flags: inout Flags) {
        flags.text("atespace", "ATESPACE", default: "default", short: "a", help: "The atespace of the actor.")
    }

    static func namespace(_ flags: inout Flags) {
        flags.text(
            "namespace", "NAME", short: "n",
            help: "The namespace of the pool, template or worker, where the name does not begin with one.")
    }

    static func output(_ flags: inout Flags) {
        flags.choice(
            "output", OutputFormat.allCases.map(\.rawValue), default: OutputFormat.table.rawValue, short: "o",
            help: "How results are shown.")
    }
}
