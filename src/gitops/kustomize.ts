import { runCommand } from '../base/command.ts'

/** Output of a build, in bytes; nobody's manifests are so large. */
const LARGEST = 4_000_000

const TOOLS: readonly (readonly [string, ...string[]])[] = [
  ['kubectl', 'kustomize'],
  ['kustomize', 'build'],
]

/**
 * Builds a directory with a kustomization by kubectl, or kustomize where that is what there is. As they do by themselves, it reads
 * nothing outside of the directory but bases that it names, and runs no plugins.
 */
export async function kustomize(directory: string, signal: AbortSignal): Promise<{ readonly text: string } | { readonly problem: string }> {
  for (const tool of TOOLS) {
    try {
      const { code, stdout, stderr } = await runCommand([...tool, directory], { signal })
      if (code !== 0) return { problem: stderr.trim().split('\n').at(-1) ?? `${tool[0]} failed with code ${code}` }
      if (Buffer.byteLength(stdout) > LARGEST) return { problem: `what ${tool[0]} makes of it has more than ${LARGEST} bytes` }
      return { text: stdout }
    } catch (err) {
      if (signal.aborted) throw signal.reason
      if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err
    }
  }
  return { problem: 'a kustomization is built by kubectl or kustomize, and neither is installed' }
}
