import { mkdir, readdir, readlink, rm, stat, symlink, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { InstanceId } from './runtime.ts'
import { hasCode, isMissing } from './state-dir.ts'

const LINK_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

/** `by-name/<namespace>/<name>` leads people to the log directory of an Instance. */
export class LogLinks {
  readonly #root: string

  constructor(logRoot: string) {
    this.#root = join(logRoot, 'by-name')
  }

  open(): Promise<unknown> {
    return mkdir(this.#root, { recursive: true, mode: 0o700 })
  }

  /** The name of a link; undefined when it would lead elsewhere. */
  nameOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string | undefined {
    return LINK_NAME.test(namespace) && LINK_NAME.test(name) ? `${namespace}/${name}` : undefined
  }

  async set(name: string, instance: InstanceId): Promise<void> {
    const link = join(this.#root, name)
    const target = targetOf(instance)
    // It is there and right after a restart of the server, and there and wrong after an Instance of the same name.
    for (;;) {
      try {
        await symlink(target, link)
        return
      } catch (err) {
        if (isMissing(err)) await mkdir(join(link, '..'), { recursive: true, mode: 0o700 })
        else if (!hasCode(err, 'EEXIST')) throw err
        else if ((await this.#target(link)) === target) return
        else await rm(link, { force: true })
      }
    }
  }

  /** Takes the link away, unless it leads to another Instance by now. */
  async drop(name: string, instance: InstanceId): Promise<void> {
    const link = join(this.#root, name)
    if ((await this.#target(link)) === targetOf(instance)) await rm(link, { force: true })
  }

  /** Takes away those that lead nowhere: a server was killed between deleting a log and its link. */
  async sweep(): Promise<void> {
    for (const namespace of await readdir(this.#root)) {
      for (const name of await readdir(join(this.#root, namespace))) {
        const link = join(this.#root, namespace, name)
        await stat(link).catch(async (err: unknown) => {
          if (!isMissing(err)) throw err
          await unlink(link)
        })
      }
    }
  }

  async #target(link: string): Promise<string | undefined> {
    return readlink(link).catch(() => {
      // Missing, or no link.
      return undefined
    })
  }
}

function targetOf(instance: InstanceId): string {
  return join('..', '..', instance)
}
