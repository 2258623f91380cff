/// What shells load to complete atectl's command lines. All of them ask `atectl __complete` and know nothing themselves.
enum CompletionScripts {
    static let shells = ["bash", "zsh", "fish"]

    static func script(for shell: String) -> String? {
        switch shell {
        case "bash": bash
        case "zsh": zsh
        case "fish": fish
        default: nil
        }
    }

    private static let bash = #"""
        # Completion of atectl for bash. Load it with: source <(atectl completion bash)
        _atectl() {
            local line=${COMP_LINE:0:COMP_POINT} candidate current kept
            local -a words candidates
            # Not COMP_WORDS: bash splits those at = and : too.
            read -ra words <<<"$line"
            [[ $line == *[[:space:]] ]] && words+=("")
            current=${words[-1]}
            # bash replaces only what stands behind the last of these.
            kept=${current%"${current##*[=:]}"}
            COMPREPLY=()
            mapfile -t candidates < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
            for candidate in "${candidates[@]}"; do
                if [[ $candidate == :files ]]; then
                    compopt -o filenames 2>/dev/null
                    mapfile -t COMPREPLY < <(compgen -f -- "${current#"$kept"}")
                    return
                fi
                candidate=${candidate%%$'\t'*}
                COMPREPLY+=("${candidate#"$kept"}")
            done
        }
        complete -F _atectl atectl

        """#

    private static let zsh = #"""
        #compdef atectl
        # Completion of atectl for zsh. Load it with: source <(atectl completion zsh)
        _atectl() {
            local line word
            local -a lines described
            lines=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
            if [[ ${lines[-1]} == :files ]]; then
                compset -P '--[^=]#='
                _files
                return
            fi
            for line in $lines; do
                word=${line%%$'\t'*}
                if [[ $line == *$'\t'* ]]; then
                    described+=("${word//:/\\:}:${line#*$'\t'}")
                else
                    described+=("${word//:/\\:}")
                fi
            done
            _describe atectl described
        }
        # As a file of fpath this is the function's own body at first.
        if [[ $funcstack[1] == _atectl ]]; then _atectl "$@"; else compdef _atectl atectl; fi

        """#

    private static let fish = #"""
        # Completion of atectl for fish. Load it with: atectl completion fish | source
        function __atectl_complete
            set -l words (commandline -opc)
            set -l current (commandline -ct)
            set -l lines ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
            if test "$lines[-1]" = :files
                __fish_complete_path (string replace -r '^--[^=]*=' '' -- "$current")
            else if test (count $lines) -gt 0
                printf '%s\n' $lines
            end
        end
        complete -c atectl -f -a '(__atectl_complete)'

        """#
}
