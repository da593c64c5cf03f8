import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Git, GitError } from './git-command.ts'

/**
 * Throws GitError unless the commit bears a good signature of a trusted key. `trusted`: keys of the Secret, decoded; each `*.asc`
 * holds OpenPGP public keys, `allowed_signers` those for ssh, see ssh-keygen(1).
 */
export async function verifyCommit(git: Git, commit: string, trusted: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void> {
  const home = git.trusted
  const keys = [...trusted].filter(([name]) => name.endsWith('.asc'))
  const signers = trusted.get('allowed_signers')
  if (keys.length === 0 && signers === undefined)
    throw new GitError('VerificationFailed', 'the Secret that spec.git.verify names holds neither *.asc nor allowed_signers')
  await rm(home, { recursive: true, force: true })
  await mkdir(home, { recursive: true, mode: 0o700 })
  try {
    const allowed = join(home, 'allowed_signers')
    await writeFile(allowed, signers ?? '', { mode: 0o600 })
    for (const [name, key] of keys) await importKey(git, name, key, signal)
    // A third sort, X.509, has authorities instead of trusted keys.
    const config = ['-c', `gpg.ssh.allowedSignersFile=${allowed}`, '-c', 'gpg.x509.program=false']
    const { code, stderr } = await git.run([...config, 'verify-commit', '--raw', commit], { signal, env: { GNUPGHOME: home } })
    if (/cannot run gpg|cannot run ssh-keygen/.test(stderr))
      throw new GitError('VerificationFailed', 'signatures are checked by gpg and ssh-keygen, of which the one it takes is not installed')
    // gpg says GOODSIG of none that is expired or revoked.
    const isGood = /^\[GNUPG:\] GOODSIG /m.test(stderr) || /^Good "git" signature for /m.test(stderr)
    if (code !== 0 || !isGood) throw new GitError('VerificationFailed', `commit ${commit.slice(0, 12)} ${lackOf(stderr)}`)
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

async function importKey(git: Git, name: string, key: string, signal: AbortSignal): Promise<void> {
  const gpg = ['gpg', '--homedir', git.trusted, '--batch', '--quiet', '--no-autostart', '--import']
  const { code, stderr } = await git.exec(gpg, { signal, input: key })
  if (code === 127 && /^prlimit: /m.test(stderr)) throw new GitError('VerificationFailed', 'OpenPGP keys need gpg, which is not installed')
  if (code !== 0) throw new GitError('VerificationFailed', `${name} of the Secret that spec.git.verify names is no OpenPGP public key`)
}

/** What is wrong with it, as gpg and ssh-keygen tell it. */
function lackOf(stderr: string): string {
  if (stderr.trim() === '') return 'is not signed'
  if (/^\[GNUPG:\] (EXPKEYSIG|KEYEXPIRED) /m.test(stderr)) return 'is signed with a key that has expired'
  if (/^\[GNUPG:\] EXPSIG /m.test(stderr)) return 'has a signature that has expired'
  if (/^\[GNUPG:\] REVKEYSIG /m.test(stderr)) return 'is signed with a key that was revoked'
  if (/^\[GNUPG:\] BADSIG /m.test(stderr)) return 'is not what was signed'
  return 'has no good signature of a trusted key'
}
