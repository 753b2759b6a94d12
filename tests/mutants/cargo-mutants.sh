#!/usr/bin/env bash
# Every small change that cargo-mutants makes to the guards, the backoff and the quotas: does a test see it?
#
# The last lines list the survivors that nobody has judged, and count `killed N, survived N`. Those in survivors.txt,
# each with the reason why it does no harm, count as killed. The exit status is 0 when no other survives.
set -euo pipefail

# shellcheck source=tests/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"
HERE=$ROOT/tests/mutants
OUT=$OUT_DIR/cargo-mutants
# cargo-mutants builds in copies of its own, and for each mutant all that it is told of: what follows a bare `--` it tells
# only to the tests, so the two targets are named for the builds, too. Few cases for each property: there are a hundred mutants and more.
unset CARGO_TARGET_DIR
export PROPTEST_CASES=${PROPTEST_CASES:-16}

rm -rf "$OUT"
mkdir -p "$OUT"
status=0
(cd "$ROOT" && cargo mutants --no-shuffle --colors never --jobs 2 --profile sim --output "$OUT" --no-default-features \
  --file src/manager/pruning/guards.rs --file src/manager/tools/backoff.rs --file src/manager/demand/quota.rs \
  --cargo-arg=--lib --cargo-arg=--test=manager) || status=$?
# 2: some survived; 3: some timed out, which a test would have seen too. All else is no result.
case $status in 0 | 2 | 3) ;; *) exit "$status" ;; esac

# Lines of `file:line:column: what`. Judged are files and what was changed, because lines move.
judged() {
  sed -E 's/#.*//; s/[[:space:]]+$//; /^$/d' "$HERE/survivors.txt"
}
survived=0 killed=$(cat "$OUT"/mutants.out/{caught,timeout}.txt | wc -l)
while IFS= read -r line; do
  what=$(sed -E 's/^([^:]+):[0-9]+:[0-9]+: /\1: /' <<<"$line")
  if judged | grep -qxF -- "$what"; then
    killed=$((killed + 1))
  else
    survived=$((survived + 1))
    printf 'survived: %s\n' "$line"
  fi
done <"$OUT/mutants.out/missed.txt"
printf 'killed %d, survived %d\n' "$killed" "$survived"
((survived == 0))
