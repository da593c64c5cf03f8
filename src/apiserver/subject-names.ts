import { isJsonObject } from '../base/json.ts'

const KINDS = { users: 'User', groups: 'Group', serviceAccounts: 'ServiceAccount' } as const

type SubjectWord = keyof typeof KINDS

export function isSubjectWord(word: string): word is SubjectWord {
  return Object.hasOwn(KINDS, word)
}

/** The names of the subjects of one kind, as kubectl's table of bindings shows them. */
export function subjectNames(subjects: readonly unknown[], word: SubjectWord): string {
  return subjects
    .filter((subject) => isJsonObject(subject) && subject.kind === KINDS[word])
    .map((subject) => {
      const { name, namespace } = subject as { readonly name?: unknown; readonly namespace?: unknown }
      return word === 'serviceAccounts' ? `${String(namespace ?? '')}/${String(name)}` : String(name)
    })
    .join(', ')
}
