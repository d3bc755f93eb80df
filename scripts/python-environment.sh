#!/usr/bin/env bash
# Installs PyPI's packages into a Python environment of their own, `NAME` in the target folder. Where it may not, it says what is
# left out. Never fails for that.
#
#   scripts/python-environment.sh NAME 'WHAT IS LEFT OUT WITHOUT IT' PACKAGE==VERSION…
#
# Its programs are called by its Python (`NAME/bin/python3 NAME/bin/PROGRAM`): the environment is moved once it is complete, and what
# pip writes names the place before.
set -u
cd "$(dirname "$0")/.."
name=$1 left_out=$2
shift 2
environment="${CARGO_TARGET_DIR:-target}/$name"

missing() {
  printf 'test set-up: MISSING: %s. Left out: %s.\n' "$1" "$left_out"
  exit 0
}

python3 -c 'import ensurepip, venv' 2>/dev/null || missing python3-venv

# The mark tells an environment that is complete from one that was cut off, or has other versions.
mark="$environment/complete-$(printf '%s-' "$@" | tr -d /)"
[ -e "$mark" ] && exit 0
rm -rf "$environment" "$environment.new"
python3 -m venv "$environment.new" &&
  "$environment.new/bin/pip" install -q --disable-pip-version-check --no-cache-dir "$@" &&
  mv "$environment.new" "$environment" && touch "$mark" ||
  { rm -rf "$environment.new"; missing "$* from PyPI"; }
