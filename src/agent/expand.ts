/**
 * Replaces `$(NAME)` by the value of a variable, as in a Pod: a name that is unknown stays as it is written, `$$` stands for
 * one `$` and so `$$(NAME)` for the text `$(NAME)`, and any other `$` is left alone.
 */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$'
    return Object.hasOwn(env, name) ? (env[name] ?? whole) : whole
  })
}
