#!/usr/bin/env bash
# Fails when src/generated/ is not what api/*.schema.json gives, and shows that it would.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
node --import tsx hack/update-codegen.ts "$scratch"
if ! diff -ru src/generated "$scratch"; then
  echo 'verify-codegen: src/generated is out of date. Run: npm run codegen' >&2
  exit 1
fi
echo '// one line more' >>"$scratch/types.ts"
if diff -rq src/generated "$scratch" >/dev/null; then
  echo 'verify-codegen: the comparison does not see a difference' >&2
  exit 1
fi
