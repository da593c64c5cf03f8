/** What a verb throws for the person at the keyboard: printed as `error: …`, without a stack. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number
  /** True: the message is followed by where to find the verb's help. */
  readonly usage: boolean
  /** True: the message says it all and is printed without `error: ` in front. */
  readonly plain: boolean

  constructor(
    message: string,
    options: { readonly exitCode?: number; readonly usage?: boolean; readonly plain?: boolean } & ErrorOptions = {},
  ) {
    super(message, options)
    this.exitCode = options.exitCode ?? 1
    this.usage = options.usage ?? false
    this.plain = options.plain ?? false
  }
}
