#!/bin/bash
# The secrets of compose.yaml, made up, each in a file of its own in secrets/; what is there already stays.
set -euo pipefail
cd "$(dirname "$0")"
umask 077
mkdir -p secrets

make() {
    [[ -e secrets/$1 ]] || printf '%s' "$2" > "secrets/$1"
}

random() {
    head -c 32 /dev/urandom | base64 | tr '+/' '-_'
}

make botrunner-key "$(random)"
make database-password "$(random | tr -d '=')"
make database-url "postgresql://botrunner:$(<secrets/database-password)@postgres:5432/botrunner"
make hello-secret "$(random)"
# Each container's own user reads them, and the folder is for nobody else.
chmod 0700 secrets
chmod 0644 secrets/*
