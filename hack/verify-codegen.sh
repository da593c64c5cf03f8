#!/usr/bin/env bash
# Fails when src/generated/ or docs/manifest.md is not what api/*.schema.json gives, and shows that it would.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
node --import tsx hack/update-codegen.ts "$scratch"
if ! diff -rq -x manifest.md src/generated "$scratch" || ! diff -u docs/manifest.md "$scratch/manifest.md"; then
  echo 'verify-codegen: src/generated or docs/manifest.md is out of date. Run: npm run codegen' >&2
  exit 1
fi
echo '// one line more' >>"$scratch/types.ts"
if diff -rq -x manifest.md src/generated "$scratch" >/dev/null; then
  echo 'verify-codegen: the comparison does not see a difference' >&2
  exit 1
fi
