internal import ServiceKit

/// `completion bash|zsh|fish`
enum CompletionCommand {
    static let command = Command(
        words: ["completion"], summary: "prints what a shell needs to complete command lines",
        details: "Names of actors and the like are asked from the control plane while you type.",
        examples: [
            "completion bash > /etc/bash_completion.d/atectl", "completion zsh > ~/.zsh/completions/_atectl",
            "completion fish > ~/.config/fish/completions/atectl.fish",
        ], reach: .nothing,
        action: .word("SHELL", .words(CompletionScripts.shells)) { shell, invocation in
            guard let script = CompletionScripts.script(for: shell) else {
                let known = CompletionScripts.shells.joined(separator: ", ")
                throw FlagError("completion \(shell): there is none for that shell; one of: \(known)")
            }
            try invocation.terminal.write(script)
        })
}
