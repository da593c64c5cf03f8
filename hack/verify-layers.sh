#!/usr/bin/env bash
# Lints everything, then shows that the rules bite: each snippet below breaks one rule and must be reported.
set -euo pipefail
cd "$(dirname "$0")/.."
biome=node_modules/.bin/biome

[ "${1:-}" = --rules-only ] || "$biome" check --error-on-warnings .

# path as which the snippet is read | rule that must speak up | snippet
snippets=$(cat <<'SNIPPETS'
src/probe/x.ts|noRestrictedImports|import { type Store } from '../storage/store.ts'; export type S = Store
src/agent/x.ts|noRestrictedImports|import type { Registry } from '../registry/registry.ts'; export type R = Registry
src/base/x.ts|noRestrictedImports|import { keyOf } from '../api/object.ts'; export const k = keyOf
src/cli/x.ts|noRestrictedImports|import { MemoryStore } from '../storage/memory-store.ts'; export const s = MemoryStore
src/agent/x.ts|noRestrictedImports|import { fastify } from 'fastify'; export const f = fastify
src/agent/x.ts|noRestrictedImports|import { spawn } from 'node:child_process'; export const s = spawn
src/main.ts|noRestrictedImports|import { plan } from './agent/plan.ts'; export const p = plan
src/agent/x.ts|noRestrictedGlobals|export const now = Date.now()
src/agent/x.ts|noRestrictedGlobals|setTimeout(() => {}, 1)
src/agent/x.ts|noRestrictedGlobals|export const pid = process.pid
src/agent/x.ts|noExplicitAny|export function f(x: any): void { f(x) }
src/agent/x.ts|noEnum|export enum E { A }
src/agent/x.ts|noDefaultExport|export default 1
src/agent/x.ts|noBarrelFile|export * from './plan.ts'
src/agent/x.ts|noNonNullAssertion|export function f(x: string | undefined): string { return x! }
SNIPPETS
)
failed=0
while IFS='|' read -r path rule code; do
  [ -n "$path" ] || continue
  if ! printf '%s\n' "$code" | "$biome" lint --stdin-file-path="$path" 2>&1 | grep -q "/$rule"; then
    echo "verify-layers: $rule did not report: $path: $code" >&2
    failed=1
  fi
done <<<"$snippets"

# A cycle needs two files on disk: they are linted in a directory of their own under the same configuration.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/src/base"
sed 's#"./node_modules/@biomejs/biome/configuration_schema.json"#"https://biomejs.dev/schemas/latest/schema.json"#' biome.json >"$scratch/biome.json"
echo "import { b } from './b.ts'; export const a = (): number => b()" >"$scratch/src/base/a.ts"
echo "import { a } from './a.ts'; export const b = (): number => a()" >"$scratch/src/base/b.ts"
echo "declare function later(): Promise<void>; later(); export {}" >"$scratch/src/base/c.ts"
report=$("$biome" lint --config-path="$scratch" "$scratch/src" 2>&1 || true)
for rule in noImportCycles noFloatingPromises; do
  grep -q "/$rule" <<<"$report" || { echo "verify-layers: $rule did not report its fixture" >&2; failed=1; }
done
exit "$failed"
