#!/usr/bin/env bash
# Installs the query engines that the lake is read back with into a Python environment of its own: DuckDB, DataFusion, and Spark,
# which needs Java. Where it may not, it says what is left out. Never fails for that.
set -u
cd "$(dirname "$0")/.."

say() {
  printf 'test set-up: %s\n' "$1"
}

if ! command -v java >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends default-jre-headless >/dev/null 2>&1
fi
command -v java >/dev/null ||
  { say 'MISSING: java (Debian package default-jre-headless). Left out: reading the lake with Spark and its peers.'; exit 0; }
exec scripts/python-environment.sh engines 'reading the lake with three engines' duckdb==2.0.1 datafusion==55.0.0 pyarrow pyspark==4.3.0
