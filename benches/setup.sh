#!/bin/sh
# Builds the server that the benches measure, and installs its peers: PostgreSQL from Debian's packages, and a Python
# environment for the FastAPI service. A peer that cannot be installed is said, and the benches skip it.
set -u
cd "$(dirname "$0")/.."
environment="${CARGO_TARGET_DIR:-target}/bench-venv"

has_postgres() {
    ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1
}

say() {
    printf 'benches/setup.sh: %s\n' "$1" >&2
}

missing=""
has_postgres || missing="$missing postgresql"
command -v python3 >/dev/null 2>&1 || missing="$missing python3"
python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        # Debian would start a cluster of its own; the benches start theirs.
        mkdir -p /etc/postgresql-common
        [ -e /etc/postgresql-common/createcluster.conf ] ||
            echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
        # shellcheck disable=SC2086 # a list of packages
        apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing
    fi
fi
has_postgres ||
    say "PostgreSQL is missing: install the packages$missing as root; its comparison is skipped"

if [ ! -x "$environment/bin/uvicorn" ]; then
    if python3 -m venv "$environment" &&
        "$environment/bin/pip" install --quiet --disable-pip-version-check -r benches/peers/fastapi/requirements.txt; then
        :
    else
        say "the Python environment could not be made; the FastAPI comparison is skipped"
    fi
fi
# Together with the benches, so that both share one build of every dependency.
cargo build --release -p railfleet-server -p railfleet-benches --bins
