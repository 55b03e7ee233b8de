package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// completionScripts ask the program itself what can follow.
var completionScripts = map[string]string{
	"bash": `_ctrecon() {
  local cur=${COMP_WORDS[COMP_CWORD]} words
  words=$("${COMP_WORDS[@]:0:COMP_CWORD}" $([[ $cur == -* ]] && printf %s "$cur") --generate-bash-completion 2>/dev/null)
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur"; [[ $cur == -* ]] || compgen -f -- "$cur")
}
complete -o filenames -F _ctrecon ctrecon
`,
	"zsh": `#compdef ctrecon
_ctrecon() {
  local -a words
  words=("${(@f)$(${words[@]:0:#words[@]-1} ${${words[-1]}:#[^-]*} --generate-bash-completion 2>/dev/null)}")
  _describe values words
  _files
}
compdef _ctrecon ctrecon
`,
	"fish": `complete -c ctrecon -a '(set -l t (commandline -opc); $t --generate-bash-completion 2>/dev/null)'
`,
}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "print a completion script", ArgsUsage: "bash|zsh|fish",
		Description: examples("source <(ctrecon completion bash)", "complete commands and flags in this shell"),
		Action: func(c *cli.Context) error {
			shell, err := onlyArgument(c, "shell")
			if err != nil {
				return err
			}
			s, ok := completionScripts[shell]
			if !ok {
				return usagef("%q: no completion for this shell (there is bash, zsh, fish)", shell)
			}
			_, err = fmt.Fprint(c.App.Writer, s)
			return err
		},
	}
}
