import { nearest } from '../api/suggest.ts'

/** The candidate that `word` was probably meant to be: one that begins with it, or one spelt nearly so. */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  return (word === '' ? undefined : candidates.find((candidate) => candidate.startsWith(word))) ?? nearest(candidates, word)
}
