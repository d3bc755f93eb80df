#!/usr/bin/env bash
# Installs schemathesis, which asks the running server what its OpenAPI document promises, into a Python environment of its
# own. Where it may not, it says what is left out. Never fails for that.
set -u
cd "$(dirname "$0")/.."
environment="${CARGO_TARGET_DIR:-target}/schemathesis"

say() {
  printf 'test set-up: %s\n' "$1"
}

python3 -c 'import ensurepip, venv' 2>/dev/null ||
  { say 'MISSING: python3-venv. Left out: asking the server everything its OpenAPI document allows.'; exit 0; }

# The mark tells an environment that is complete from one that was cut off.
mark="$environment/complete-4.32.5"
[ -e "$mark" ] && exit 0
rm -rf "$environment"
python3 -m venv "$environment.new" &&
  "$environment.new/bin/pip" install -q --disable-pip-version-check --no-cache-dir schemathesis==4.32.5 &&
  rm -rf "$environment" && mv "$environment.new" "$environment" && touch "$mark" ||
  { rm -rf "$environment.new"; say 'MISSING: schemathesis from PyPI. Left out: asking the server everything its OpenAPI document allows.'; }
exit 0
