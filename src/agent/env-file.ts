/** A line of an environment file that can't be understood. The message names file and line, never the value. */
export class EnvFileError extends Error {
  override readonly name = 'EnvFileError'
}

/**
 * Reads `NAME=value` lines as they stand in /etc/default: empty lines and those that begin with `#` or `;` are comments,
 * `export ` in front is skipped, values may be bare, in single quotes (taken as they are) or in double quotes (with `\"`, `\\`,
 * `\$`, `` \` `` and a backslash before the end of the line). Quoted values may go over several lines. Nothing is executed and
 * no variable is replaced.
 */
export function parseEnvFile(text: string, path: string): Readonly<Record<string, string>> {
  const env: Record<string, string> = Object.create(null)
  const reader = new Reader(text, path)
  for (;;) {
    const name = reader.name()
    if (name === undefined) return { ...env }
    env[name] = reader.value()
  }
}

/** A place in the text that only goes forward. */
class Reader {
  readonly #text: string
  readonly #path: string
  #at = 0

  constructor(text: string, path: string) {
    this.#text = text.startsWith('\ufeff') ? text.slice(1) : text
    this.#path = path
  }

  /** The name before the next `=`; undefined at the end. */
  name(): string | undefined {
    for (;;) {
      this.#skip(/[\s]*/y)
      if (this.#at >= this.#text.length) return undefined
      if (this.#skip(/[#;][^\n]*/y) === '') break
    }
    this.#skip(/export[ \t]+/y)
    const name = this.#skip(/[^\s=#'"]*/y)
    if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name)) throw this.#error('expected NAME=value')
    if (this.#skip(/=/y) === '') throw this.#error(`expected "=" right after ${name}`)
    return name
  }

  /** The value up to the end of its line: pieces, quoted or not, side by side. */
  value(): string {
    let value = ''
    this.#skip(/[ \t]*/y)
    for (;;) {
      const char = this.#text[this.#at]
      if (char === undefined || char === '\n') return value
      if (char === "'") value += this.#single()
      else if (char === '"') value += this.#double()
      else if (/[ \t\r]/.test(char)) {
        const space = this.#skip(/[ \t\r]+/y)
        const next = this.#text[this.#at]
        if (next === undefined || next === '\n') return value
        if (next === '#' || next === ';') {
          this.#skip(/[^\n]*/y)
          return value
        }
        // Bare words with spaces between them are one value to systemd and to people, though not to a shell.
        value += space
      } else value += this.#bare()
    }
  }

  #bare(): string {
    return this.#skip(/(?:\\(?:\n|[^\n]?)|[^\s'"\\])+/y).replace(/\\(\n|[^\n]?)/g, (_, char: string) => (char === '\n' ? '' : char))
  }

  #single(): string {
    const start = this.#at
    const end = this.#text.indexOf("'", start + 1)
    if (end < 0) throw this.#error('the single quote is never closed')
    this.#at = end + 1
    return this.#text.slice(start + 1, end)
  }

  #double(): string {
    const raw = this.#skip(/"(?:[^"\\]|\\[\s\S])*"/y)
    if (raw === '') throw this.#error('the double quote is never closed')
    return raw.slice(1, -1).replace(/\\(["\\$`\n])/g, (_, char: string) => (char === '\n' ? '' : char))
  }

  /** Takes what matches here, which may be nothing. */
  #skip(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += match.length
    return match
  }

  #error(message: string): EnvFileError {
    const line = this.#text.slice(0, this.#at).split('\n').length
    return new EnvFileError(`${this.#path}:${line}: ${message}`)
  }
}
