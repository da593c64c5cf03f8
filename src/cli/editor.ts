import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runInteractive } from '../base/command.ts'
import { CliError } from './cli-error.ts'
import type { Io } from './io.ts'

/** Lets the user's editor change a text; gives what was saved. The file is kept on a failure, so that no work is lost. */
export interface EditedFile {
  readonly path: string
  /** Writes a text and opens the editor on it. */
  edit(text: string): Promise<string>
  remove(): Promise<void>
}

export async function openEditedFile(io: Pick<Io, 'env'>, name: string): Promise<EditedFile> {
  const editor = io.env.PMK_EDITOR || io.env.KUBE_EDITOR || io.env.VISUAL || io.env.EDITOR || 'vi'
  const dir = await mkdtemp(join(tmpdir(), 'pmk-edit-'))
  const path = join(dir, `${name}.yaml`)
  return {
    path,
    async edit(text) {
      await writeFile(path, text, { mode: 0o600 })
      // Through a shell, because $EDITOR holds a command line: `code --wait`.
      const code = await runInteractive(['/bin/sh', '-c', `${editor} "$1"`, 'sh', path]).catch((err: Error) => {
        throw new CliError(`unable to launch the editor "${editor}": ${err.message}`, { cause: err })
      })
      if (code !== 0) throw new CliError(`there was a problem with the editor "${editor}": exit code ${code}`)
      return await readFile(path, 'utf8')
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  }
}
