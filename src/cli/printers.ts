/** One object (or list) as text, with a newline at the end. YAML is loaded only when asked for. */
export async function formatObject(value: unknown, format: 'json' | 'yaml'): Promise<string> {
  if (format === 'json') return `${JSON.stringify(value, null, 4)}\n`
  const { stringifyYaml } = await import('../base/yaml.ts')
  return stringifyYaml(value)
}
