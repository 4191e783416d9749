/**
 * The scripts that `sluice completion` prints. Each asks `sluice __complete` with the words of the line, so that all shells
 * offer the same, and a newer Sluice needs no newer script. `@{` stands for `${`, which a template literal would read.
 */
import type { Shell } from './own-words.ts'

/** bash splits words at = and :, too, and replaces only what is behind the last of them. */
const BASH = String.raw`_sluice() {
  local line=@{COMP_LINE:0:COMP_POINT} last= head= answer= kind=
  local -a words=() found=()
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  last=@{words[@{#words[@]}-1]}
  [[ $last == *[=:@]* ]] && head=@{last%"@{last##*[=:@]}"}
  COMPREPLY=()
  answer=$("@{words[0]}" __complete "@{words[@]:1}" 2>/dev/null) || return 0
  mapfile -t found <<<"$answer"
  kind=@{found[0]}
  case $kind in
    :files) mapfile -t COMPREPLY < <(compgen -f -- "@{last##*=}"); compopt -o filenames 2>/dev/null ;;
    :folders) mapfile -t COMPREPLY < <(compgen -d -- "@{last##*=}"); compopt -o filenames 2>/dev/null ;;
    :words)
      found=("@{found[@]:1}")
      found=("@{found[@]%%$'\t'*}")
      COMPREPLY=("@{found[@]#"$head"}")
      ;;
  esac
}
complete -F _sluice sluice
`

const ZSH = String.raw`#compdef sluice
_sluice() {
  local answer
  local -a found described
  answer=$("@{(Q)words[1]}" __complete "@{(@Q)words[2,CURRENT]}" 2>/dev/null) || return 1
  found=("@{(@f)answer}")
  case @{found[1]} in
    :files) compset -P '*='; _files ;;
    :folders) compset -P '*='; _files -/ ;;
    :words)
      (( @{#found} > 1 )) || return 1
      local one
      for one in "@{(@)found[2,-1]}"; do
        local word=@{one%%$'\t'*} text=
        [[ $one == *$'\t'* ]] && text=@{one#*$'\t'}
        described+=("@{word//:/\\:}@{text:+:$text}")
      done
      _describe -t words 'sluice' described
      ;;
  esac
}
if [[ @{funcstack[1]} == _sluice ]]; then
  _sluice "$@"
else
  compdef _sluice sluice
fi
`

const FISH = String.raw`function __sluice_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l found ($program __complete $words "$last" 2>/dev/null)
    or return
    switch $found[1]
        case :files
            set -l head (string match -r '^.*=' -- "$last")
            for path in (__fish_complete_path (string replace -r '^.*=' '' -- "$last"))
                echo -- "$head$path"
            end
        case :folders
            set -l head (string match -r '^.*=' -- "$last")
            for path in (__fish_complete_directories (string replace -r '^.*=' '' -- "$last"))
                echo -- "$head$path"
            end
        case :words
            set -e found[1]
            printf '%s\n' $found
    end
end
complete -c sluice -e
complete -c sluice -f -a '(__sluice_complete)'
`

const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH }

export function completionScript(shell: Shell): string {
  return SCRIPTS[shell].trimEnd().replaceAll('@{', '${')
}
