#!/usr/bin/env python3
"""Holds every dependency, direct and indirect, against the project's rules: licences, bans, versions that come twice.

What a rule lets through stands below with its reason; an exception that nothing needs any more fails as well.
"""
import collections
import re
import subprocess
import sys

TARGET = "x86_64-unknown-linux-gnu"

# What may be given on with an Apache-2.0 binary. One of an OR is enough, all of an AND are needed.
LICENCES = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
    "CDLA-Permissive-2.0", "ISC", "MIT", "MIT-0", "Unicode-3.0", "Unlicense", "Zlib",
}

# Crates that may not come in, by whomever.
BANNED = {
    "aws-lc-sys": "ring is the one provider of cryptography; with two, rustls panics at run time",
    "native-tls": "rustls is the one TLS library",
    "openssl-sys": "rustls is the one TLS library, and the binary links no C library that is not in it",
    "bincode:3": "a tombstone: 2.0.1 is the last release",
    "serde_yaml": "archived; settings are TOML",
    "ureq": "reqwest is the one HTTP client",
}

# Crates that come in two versions, and who still asks for the older one.
NATS = "async-nats, by its keys"
TWICE = {
    "base64": "async-nats, jsonwebtoken, postgres-protocol",
    "block-buffer": NATS,
    "const-oid": NATS,
    "cpufeatures": NATS,
    "crypto-common": NATS,
    "curve25519-dalek": NATS,
    "digest": NATS,
    "ed25519": NATS,
    "ed25519-dalek": NATS,
    "getrandom": "ring, ahash",
    "phf": "chrono-tz",
    "phf_shared": "chrono-tz",
    "rand": NATS,
    "rand_core": NATS,
    "sha2": NATS,
    "signature": NATS,
    "syn": "derive macros that are older than syn 3: when built, not in the binary",
    "tower-http": "reqwest",
}


def permitted(expression):
    """Whether a licence expression (SPDX, or the old form with slashes) can be met."""
    expression = re.sub(r"\s*/\s*", " OR ", expression)
    expression = re.sub(r"([\w.-]+) WITH ([\w.-]+)", r"\1+WITH+\2", expression)
    names = {name.replace("+WITH+", " WITH ") for name in re.findall(r"[\w.+-]+", expression)} - {"AND", "OR"}
    python = re.sub(
        r"[\w.+-]+",
        lambda found: {"AND": "and", "OR": "or"}.get(found[0])
        or str(found[0].replace("+WITH+", " WITH ") in LICENCES),
        expression,
    )
    return bool(names) and eval(python, {"__builtins__": {}})  # nothing but True, False, and, or, parentheses


def main():
    tree = subprocess.run(
        ["cargo", "tree", "--workspace", "--locked", "--edges", "normal,build,dev", "--target", TARGET,
         "--prefix", "none", "--format", "{p}|{l}"],
        check=True, capture_output=True, text=True,
    ).stdout
    wrong = []
    versions = collections.defaultdict(set)
    for line in sorted(set(tree.splitlines())):
        package, _, licence = line.partition("|")
        if not package or "(/" in package:  # the workspace's own
            continue
        name, version = package.split()[:2]
        version = version.removeprefix("v")
        licence = licence.removesuffix(" (*)")
        if not permitted(licence):
            wrong.append(f"{name} {version} is under {licence!r}, which is not among the licences that are let in")
        for key in (name, f"{name}:{version.split('.')[0]}"):
            if key in BANNED:
                wrong.append(f"{name} {version} is banned: {BANNED[key]}")
        versions[name].add(version)
    twice = {name for name, found in versions.items() if len(found) > 1}
    for name in sorted(twice - TWICE.keys()):
        found = ", ".join(sorted(versions[name]))
        wrong.append(f"{name} comes in {found}: use one of them, or say in {sys.argv[0]} why not")
    for name in sorted(TWICE.keys() - twice):
        wrong.append(f"{name} comes once now: take it out of {sys.argv[0]}")
    for line in wrong:
        print(f"dependencies: {line}", file=sys.stderr)
    if wrong:
        sys.exit(1)
    print(f"dependencies: {len(versions)} crates, {len(twice)} of them twice, nothing against the rules")


if __name__ == "__main__":
    main()
