#!/bin/sh
# Installs what `ml-parity` compares with: LightGBM and XGBoost in a Python environment of their own, and a small C
# program around LightGBM's fast single-row function. Prints the environment's Python. Fails if any part is missing.
set -eu
cd "$(dirname "$0")"
environment="${1:?the folder to install into}"
if [ ! -x "$environment/bin/python" ]; then
    python3 -m venv "$environment" >&2
fi
"$environment/bin/pip" install --quiet --disable-pip-version-check -r peers/requirements.txt >&2
cc -O2 -o "$environment/single_row" peers/single_row.c -ldl >&2
printf '%s\n' "$environment/bin/python"
