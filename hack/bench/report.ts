import nodeProcess from 'node:process'

export type Unit = 'ms' | 's' | '/s' | 'KiB' | 'MiB' | '%' | 'MB/s' | 'lines'

export interface Row {
  readonly what: string
  readonly value: number
  readonly unit: Unit
  /** Spread, counts: whatever helps to judge the value. */
  readonly detail?: string
  /** What the value is compared with: the machine's own floor, or somebody else's program, from the same run. */
  readonly against?: { readonly name: string; readonly value: number }
  readonly target?: Target
}

export interface Target {
  readonly text: string
  readonly met: boolean
}

interface Reported extends Row {
  readonly section: string
}

export function atMost(value: number, limit: number, unit: Unit): Target {
  return { text: `≤ ${number(limit)} ${unit}`, met: value <= limit }
}

/** Collects the rows, prints each as it comes and all of them at the end. */
export class Report {
  readonly #rows: Reported[] = []
  readonly #notes: { readonly section: string; readonly text: string }[] = []
  #section = ''

  begin(section: string): void {
    this.#section = section
    say(`${section} …`)
  }

  row(row: Row): void {
    this.#rows.push({ section: this.#section, ...row })
    const { what, value, unit, detail, target } = row
    say(`  ${what}: ${number(value)} ${unit}${detail === undefined ? '' : ` (${detail})`}${target?.met === false ? ' NOT MET' : ''}`)
  }

  /** What was left out, and why; what broke. */
  note(text: string): void {
    this.#notes.push({ section: this.#section, text })
    say(`  ${text}`)
  }

  /** Everything as a page: what was measured where, the table, the notes. */
  markdown(title: string, about: readonly string[]): string {
    const notes = this.#notes.map(({ section, text }) => `- ${section}: ${text}`)
    return [`# ${title}`, '', ...about, '', ...this.#table(), '', this.#verdict(), ...(notes.length === 0 ? [] : ['', ...notes]), ''].join(
      '\n',
    )
  }

  print(): void {
    say('')
    for (const line of this.#table()) say(line)
    say('')
    for (const { section, text } of this.#notes) say(`${section}: ${text}`)
    say(this.#verdict())
  }

  #table(): readonly string[] {
    const head = ['what', 'measured', 'floor or peer', 'ratio', 'target', 'met']
    const cells = this.#rows.map(({ what, value, unit, against, target }) => [
      what,
      `${number(value)} ${unit}`,
      against === undefined ? '' : `${number(against.value)} ${unit} ${against.name}`,
      against === undefined ? '' : `${(value / against.value).toFixed(2)} ×`,
      target?.text ?? '',
      target === undefined ? '' : target.met ? 'yes' : 'NO',
    ])
    const lines = [head, head.map(() => '---'), ...cells]
    const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
    return lines.map((line) => `| ${line.map((cell, n) => cell.padEnd(widths[n] ?? 0, cell === '---' ? '-' : ' ')).join(' | ')} |`)
  }

  #verdict(): string {
    const judged = this.#rows.flatMap(({ target }) => (target === undefined ? [] : [target.met]))
    return `${judged.filter((met) => met).length} of ${judged.length} targets met`
  }

  toJSON(): object {
    return { rows: this.#rows, notes: this.#notes }
  }
}

export function say(line: string): void {
  nodeProcess.stdout.write(`${line}\n`)
}

/** Three digits that count. */
function number(value: number): string {
  const size = Math.abs(value)
  return value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2)
}
