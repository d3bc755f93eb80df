#!/usr/bin/env bash
# Installs schemathesis, which asks the running server what its OpenAPI document promises.
set -u
exec "$(dirname "$0")/python-environment.sh" schemathesis 'asking the server everything its OpenAPI document allows' schemathesis==4.32.5
