/** What a shell loads so that the tab key asks `dure complete`. They only carry words there and the answers back. */

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** How a script is made use of, for the help. */
export const installs: Record<Shell, string> = {
  bash: "source <(dure completion bash)       in ~/.bashrc",
  zsh: "source <(dure completion zsh)        in ~/.zshrc, after compinit",
  fish: "dure completion fish | source        in ~/.config/fish/config.fish",
};

/**
 * Bash breaks words at `:` and `=` and wants only what follows the last of them; elsewhere words are whole. A line
 * `:files` among the answers asks for the names of files.
 */
export const scripts: Record<Shell, string> = {
  bash: String.raw`# dure: completion for bash
_dure() {
  local words=() word joins= reply before
  for word in "${"$"}{COMP_WORDS[@]:1:COMP_CWORD}"; do
    if ((${"$"}{#words[@]})) && [[ $word == [:=]* || $joins ]]; then words[-1]+=$word; else words+=("$word"); fi
    if [[ $word == *[:=] ]]; then joins=1; else joins=; fi
  done
  # A new word after a space is no part of the one before.
  if [[ $joins && -z "${"$"}{COMP_WORDS[COMP_CWORD]}" ]]; then words+=(""); fi
  before=${"$"}{words[-1]%"${"$"}{words[-1]##*[:=]}"}
  COMPREPLY=()
  while IFS= read -r reply; do
    if [[ $reply == :files ]]; then compopt -o default; continue; fi
    reply=${"$"}{reply%%${"$"}'\t'*}
    COMPREPLY+=("${"$"}{reply#"$before"}")
    if [[ $reply == *[:=,] ]]; then compopt -o nospace; fi
  done < <("${"$"}{COMP_WORDS[0]}" complete -- "${"$"}{words[@]}" 2>/dev/null)
}
complete -F _dure dure
`,
  zsh: String.raw`#compdef dure
# dure: completion for zsh
_dure() {
  local reply value detail
  local -a values shown open openShown
  for reply in "${"$"}{(@f)$("${"$"}{words[1]}" complete -- "${"$"}{(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -z $reply ]] && continue
    if [[ $reply == :files ]]; then _files; continue; fi
    value=${"$"}{reply%%${"$"}'\t'*}
    detail=${"$"}{reply#*${"$"}'\t'}
    [[ $detail == $value ]] && detail=$value || detail="$value  -- $detail"
    if [[ $value == *[:=,] ]]; then open+=("$value"); openShown+=("$detail"); else values+=("$value"); shown+=("$detail"); fi
  done
  (( ${"$"}{#values} )) && compadd -l -d shown -- "${"$"}{values[@]}"
  (( ${"$"}{#open} )) && compadd -l -S '' -d openShown -- "${"$"}{open[@]}"
  return 0
}
compdef _dure dure
`,
  fish: `# dure: completion for fish
function __dure_complete
    set -l words (commandline -opc) (commandline -ct)
    for reply in ($words[1] complete -- $words[2..-1] 2>/dev/null)
        if test "$reply" = ":files"
            __fish_complete_path (commandline -ct)
        else
            echo $reply
        end
    end
end
complete -c dure -f -a "(__dure_complete)"
`,
};
