#!/usr/bin/env bash
# The gate, the same everywhere: generated code, types, lint and layers, then the tests that need no other programs.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\n== %s\n' "$*"; "$@"; }
step hack/verify-codegen.sh
step node_modules/.bin/tsc --noEmit -p tsconfig.json
step hack/verify-layers.sh
step npm run --silent unit
step npm run --silent conformance
step npm run --silent integration
