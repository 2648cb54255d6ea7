#!/usr/bin/env bash
# nextest.sh PARTS: builds an archive of the tests once, then runs its parts, as machines without a compiler would.
# Elsewhere: unpack a checkout, bring the archive, and run one part with `--workspace-remap .`.
set -euo pipefail
parts=${1:?PARTS}
archive=${ARCHIVE:-.cache/tests.tar.zst}
cargo nextest archive --workspace --archive-file "$archive"
status=0
for part in $(seq "$parts"); do
    cargo nextest run --archive-file "$archive" --workspace-remap . --partition "count:$part/$parts" --no-fail-fast || status=$?
done
exit "$status"
