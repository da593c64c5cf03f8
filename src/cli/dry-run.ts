import { CliError } from './cli-error.ts'

export type DryRun = 'none' | 'client' | 'server'

export function dryRunOf(text: string): DryRun {
  if (text === 'none' || text === 'client' || text === 'server') return text
  throw new CliError(`Invalid dry-run value (${text}). Must be "none", "server", or "client".`)
}

/** What kubectl adds to a line about something that wasn't done. */
export const DRY_RUN_NOTES: Readonly<Record<DryRun, string>> = { none: '', client: ' (dry run)', server: ' (server dry run)' }
