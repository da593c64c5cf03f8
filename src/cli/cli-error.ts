export interface Meant {
  readonly word: string
  readonly candidates: readonly string[]
}

/** What a verb throws for the person at the keyboard: printed as `error: …`, without a stack. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number
  /** True: the message is followed by where to find the verb's help. */
  readonly usage: boolean
  /** True: the message says it all and is printed without `error: ` in front. */
  readonly plain: boolean
  /** A word that means nothing, and those of which one was probably meant; looked for only when the message is printed. */
  readonly meant: Meant | undefined

  constructor(
    message: string,
    options: { readonly exitCode?: number; readonly usage?: boolean; readonly plain?: boolean; readonly meant?: Meant } & ErrorOptions = {},
  ) {
    super(message, options)
    this.exitCode = options.exitCode ?? 1
    this.usage = options.usage ?? false
    this.plain = options.plain ?? false
    this.meant = options.meant
  }
}
