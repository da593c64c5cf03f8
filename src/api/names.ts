/** What is wrong with a value, as a sentence that says what would be right; undefined when nothing is. */
type Verdict = string | undefined

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const QUALIFIED_PART = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/

/** A DNS-1123 label: a name without dots. */
export function checkDnsLabel(text: string, maxLength = 63): Verdict {
  if (text.length > maxLength) return `must be no more than ${maxLength} characters`
  if (LABEL.test(text)) return undefined
  return "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name', or '123-abc')"
}

/** A DNS-1123 subdomain: labels with dots between them. */
export function checkDnsSubdomain(text: string, maxLength = 253): Verdict {
  if (text.length > maxLength) return `must be no more than ${maxLength} characters`
  if (SUBDOMAIN.test(text)) return undefined
  return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com')"
}

/** Whatever can stand between two slashes of a path: names such as `system:discovery`. */
export function checkPathSegment(text: string, maxLength = 253): Verdict {
  if (text.length > maxLength) return `must be no more than ${maxLength} characters`
  if (text === '.' || text === '..') return `may not be '${text}'`
  const wrong = ['/', '%', '\\'].find((letter) => text.includes(letter))
  if (wrong !== undefined) return `may not contain '${wrong}'`
  return /\p{Cc}/u.test(text) ? 'may not contain control characters' : undefined
}

/** What names of a kind have to look like. */
export function checkName(format: 'subdomain' | 'label' | 'segment', text: string, maxLength: number): Verdict {
  switch (format) {
    case 'subdomain':
      return checkDnsSubdomain(text, maxLength)
    case 'label':
      return checkDnsLabel(text, maxLength)
    case 'segment':
      return checkPathSegment(text, maxLength)
  }
}

/** A key of labels, annotations and finalizers: `name` or `prefix.example/name`. */
export function checkQualifiedName(text: string): Verdict {
  const slash = text.indexOf('/')
  const prefix = slash < 0 ? undefined : text.slice(0, slash)
  const name = text.slice(slash + 1)
  if (prefix !== undefined) {
    if (prefix === '') return 'the part before the / must not be empty'
    const verdict = checkDnsSubdomain(prefix)
    if (verdict !== undefined) return `the part before the / is not a DNS name: ${verdict}`
  }
  if (name === '') return 'the name must not be empty'
  if (name.length > 63) return 'the name must be no more than 63 characters'
  if (QUALIFIED_PART.test(name)) return undefined
  return "a name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName' or 'example.com/my.name')"
}

export function checkLabelValue(text: string): Verdict {
  if (text.length > 63) return 'must be no more than 63 characters'
  if (text === '' || QUALIFIED_PART.test(text)) return undefined
  return "a label value must be empty, or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue' or '12345')"
}
