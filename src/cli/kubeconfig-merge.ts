import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { parseYaml, stringifyYaml } from '../base/yaml.ts'
import type { Kubeconfig } from '../pki/kubeconfig.ts'
import { writeSecretFile } from '../pki/pki-dir.ts'
import { CliError } from './cli-error.ts'

export interface MergeResult {
  readonly changed: boolean
  /** Where what was there before is now, if something was. */
  readonly backup?: string
}

const LISTS = ['clusters', 'users', 'contexts'] as const

/**
 * Puts the entries of a kubeconfig into a file, in one step, for its owner alone. Entries of the same names are replaced, and everything else stays
 * as it is, the chosen context included: commands that are meant for another server must not reach this one.
 */
export async function mergeKubeconfig(file: string, added: Kubeconfig): Promise<MergeResult> {
  // A link leads to the file that is meant, and stays.
  const real = existsSync(file) ? realpathSync(file) : file
  const before = existsSync(real) ? readFileSync(real, 'utf8') : undefined
  const config = before === undefined || before.trim() === '' ? {} : parsed(before, file)
  const merged = { apiVersion: 'v1', kind: 'Config', ...config, ...mergedLists(config, added, file) }
  const current = config['current-context']
  const whole = { ...merged, 'current-context': typeof current === 'string' && current !== '' ? current : added['current-context'] }
  if (before !== undefined && JSON.stringify(whole) === JSON.stringify(config)) return { changed: false }
  mkdirSync(dirname(real), { recursive: true, mode: 0o700 })
  const backup = before === undefined ? undefined : `${real}.before-pmk`
  if (backup !== undefined && before !== undefined) await writeSecretFile(backup, before)
  await writeSecretFile(real, stringifyYaml(whole))
  return { changed: true, ...(backup !== undefined && { backup }) }
}

function parsed(text: string, file: string): JsonObject {
  const fail = (why: string): CliError => new CliError(`${file} is left as it is: ${why}`)
  let documents: ReturnType<typeof parseYaml>
  try {
    documents = parseYaml(text)
  } catch (err) {
    throw fail((err as Error).message)
  }
  const value = documents[0]?.value ?? {}
  if (documents.length > 1 || !isJsonObject(value) || (value.kind !== undefined && value.kind !== 'Config'))
    throw fail('it is no kubeconfig')
  return value
}

function mergedLists(config: JsonObject, added: Kubeconfig, file: string): JsonObject {
  const lists = LISTS.map((list) => {
    const there = config[list] ?? []
    if (!Array.isArray(there)) throw new CliError(`${file} is left as it is: its ${list} are no list`)
    const fresh = new Map(added[list].map((entry) => [entry.name, entry]))
    const kept = there.map((entry: unknown) => {
      const name = isJsonObject(entry) && typeof entry.name === 'string' ? entry.name : undefined
      const replacement = name === undefined ? undefined : fresh.get(name)
      if (name !== undefined) fresh.delete(name)
      return replacement ?? entry
    })
    return [list, [...kept, ...fresh.values()]] as const
  })
  return Object.fromEntries(lists) as JsonObject
}
