# Shared by quickstart and test: set-up of a fresh Debian-like machine. Sourced, never run.

say() { printf '== %s\n' "$*" >&2; }

need_node() {
  if ! command -v node >/dev/null; then
    echo 'Node.js is missing: install version 20.19 or newer (https://nodejs.org).' >&2
    exit 1
  fi
  if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
    echo "Node.js $(node --version) is too old: 20.19 or newer is needed." >&2
    exit 1
  fi
}

# Installs the packages when package-lock.json has changed since the last time.
need_packages() {
  if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say 'Installing packages (npm ci)'
    npm ci --no-audit --no-fund --loglevel=error
    touch node_modules/.package-lock.json
  fi
}

# Builds dist/ when a source is newer.
need_build() {
  if [ ! -e dist/main.js ] || [ -n "$(find src package.json hack/build.ts -newer dist/main.js -print -quit)" ]; then
    say 'Building'
    npm run --silent build
    touch dist/main.js
  fi
}

# need_programs COMMAND=PACKAGE…: installs what is missing, as root with apt-get; else says what will be skipped.
need_programs() {
  local missing=() pair
  for pair in "$@"; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing ${missing[*]} (apt-get)"
    # The services of these packages must not start: the tests run the programs themselves.
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e "$policy" ]; then
      printf '#!/bin/sh\nexit 101\n' >"$policy"
      chmod +x "$policy"
      made=1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null || say 'apt-get update failed; trying with the lists there are'
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || say "apt-get could not install ${missing[*]}: tests that need them will say so"
    [ -z "$made" ] || rm -f "$policy"
  else
    say "Not installed and not root: ${missing[*]}. Tests that need them are skipped and say so."
  fi
}
