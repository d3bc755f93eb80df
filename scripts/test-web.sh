#!/usr/bin/env bash
# Tests the dashboard: types, that the committed files are what the source gives, the parts, and each role's way in a
# real browser. Says loudly what it leaves out where Node or Chromium is not there.
set -euo pipefail
cd "$(dirname "$0")/../web"

if ! command -v npm >/dev/null; then
  echo 'SKIPPED: the dashboard: Node and npm are not there'
  exit 0
fi
npm ci --no-audit --no-fund --silent
npx tsc --noEmit
node build.mjs
if ! git diff --exit-code --stat -- dist; then
  echo 'web/dist is not what web/src gives: run "node build.mjs" in web/ and commit dist/'
  exit 1
fi
untracked=$(git ls-files --others -- dist)
if [ -n "$untracked" ]; then
  echo "web/dist holds files that are not committed: $untracked"
  exit 1
fi
# One after the other: each file starts a server and a browser of its own.
node --test --test-concurrency=1 test/
