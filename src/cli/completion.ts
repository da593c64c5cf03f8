import { CliError } from './cli-error.ts'
import { defineVerb, type Verb } from './verb.ts'

/** All of them ask `pmk complete`, so that the answer is as new as the command and the objects. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# pmk completion for bash: source <(pmk completion bash)
_pmk() {
  local words
  mapfile -t words < <("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  mapfile -t COMPREPLY < <(compgen -W "\${words[*]}" -- "\${COMP_WORDS[COMP_CWORD]}")
  [[ \${#COMPREPLY[@]} -eq 0 && "\${COMP_WORDS[COMP_CWORD-1]}" == -f ]] && compopt -o default
}
complete -o bashdefault -F _pmk pmk
`,
  zsh: `#compdef pmk
# pmk completion for zsh: source <(pmk completion zsh)
_pmk() {
  local -a answers
  answers=("\${(@f)$(\${words[1]} complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  answers=(\${answers:#})
  if (( \${#answers} )); then compadd -a answers; else _files; fi
}
compdef _pmk pmk
`,
  fish: `# pmk completion for fish: pmk completion fish | source
complete -c pmk -f -a '(pmk complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
complete -c pmk -s f -l filename -r -F
`,
}

export const verb: Verb = defineVerb({
  usage: 'completion bash|zsh|fish',
  description: 'Prints the code that completes verbs, kinds and names in a shell.',
  examples: ['source <(pmk completion bash)', 'pmk completion fish | source'],
  flags: {},
  async run({ ctx, args }) {
    const [shell, ...more] = args
    const script = more.length === 0 && shell !== undefined && Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined
    if (script === undefined) throw new CliError(`the shell must be one of ${Object.keys(SCRIPTS).join(', ')}`, { usage: true })
    ctx.io.write(script)
    return 0
  },
})
