#!/usr/bin/env bash
# Lints everything, then shows that the rules bite: each snippet below breaks one rule and must be reported.
set -euo pipefail
cd "$(dirname "$0")/.."
biome=node_modules/.bin/biome

[ "${1:-}" = --rules-only ] || "$biome" check --error-on-warnings .

# folder the snippet lies in | rule that must speak up | snippet
snippets=$(cat <<'SNIPPETS'
src/probe|noRestrictedImports|import { type Store } from '../storage/store.ts'; export type S = Store
src/agent|noRestrictedImports|import type { Registry } from '../registry/registry.ts'; export type R = Registry
src/base|noRestrictedImports|import { keyOf } from '../api/object.ts'; export const k = keyOf
src/access|noRestrictedImports|import { HttpApp } from '../apiserver/http-app.ts'; export const h = HttpApp
src/cli|noRestrictedImports|import { MemoryStore } from '../storage/memory-store.ts'; export const s = MemoryStore
src/agent|noRestrictedImports|import { fastify } from 'fastify'; export const f = fastify
src/agent|noRestrictedImports|import { spawn } from 'node:child_process'; export const s = spawn
src|noRestrictedImports|import { plan } from './agent/plan.ts'; export const p = plan
src/agent|noFloatingPromises|declare function later(): Promise<void>; later(); export {}
src/agent|noRestrictedGlobals|export const now = Date.now()
src/agent|noRestrictedGlobals|setTimeout(() => {}, 1)
src/agent|noRestrictedGlobals|export const pid = process.pid
src/agent|noExplicitAny|export function f(x: any): void { f(x) }
src/agent|noEnum|export enum E { A }
src/agent|noDefaultExport|export default 1
src/agent|noBarrelFile|export * from './plan.ts'
src/agent|noNonNullAssertion|export function f(x: string | undefined): string { return x! }
SNIPPETS
)
# In a directory of their own, under the same configuration. A cycle takes two files.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
schema="file://$PWD/node_modules/@biomejs/biome/configuration_schema.json"
sed "s#\"./node_modules/@biomejs/biome/configuration_schema.json\"#\"$schema\"#" biome.json >"$scratch/biome.json"
file_of() { if [ "$1" = src ]; then echo "$1/main.ts"; else echo "$1/snippet$2.ts"; fi; }
number=0
while IFS='|' read -r folder rule code; do
  number=$((number + 1))
  mkdir -p "$scratch/$folder"
  printf '%s\n' "$code" >"$scratch/$(file_of "$folder" "$number")"
done <<<"$snippets"
echo "import { b } from './b.ts'; export const a = (): number => b()" >"$scratch/src/base/a.ts"
echo "import { a } from './a.ts'; export const b = (): number => a()" >"$scratch/src/base/b.ts"

report=$(cd "$scratch" && "$OLDPWD/$biome" lint --max-diagnostics=none . 2>&1 || true)
failed=0
expect() {
  grep -qE "^(\./)?$1:[0-9:]+ lint/[a-z]+/$2( |\$)" <<<"$report" && return
  echo "verify-layers: $2 did not report $1: ${3:-}" >&2
  failed=1
}
number=0
while IFS='|' read -r folder rule code; do
  number=$((number + 1))
  expect "$(file_of "$folder" "$number")" "$rule" "$code"
done <<<"$snippets"
expect src/base/a.ts noImportCycles
exit "$failed"
