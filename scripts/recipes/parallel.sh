#!/usr/bin/env bash
# parallel.sh PARTS FOLDER [RUN-OPTION…]: a run in PARTS parts on this machine, merged. Exit status: that of the merged run.
set -euo pipefail
parts=${1:?PARTS} folder=${2:?FOLDER}
shift 2
mkdir -p "$folder"
# Results of an earlier run in more parts would be merged too.
rm -f "$folder"/part-*.jsonl
part() { cpuid-fidelity run --shard "$1/$PARTS" --jobs 1 --json "$FOLDER/part-$1.jsonl" "${@:2}" >"$FOLDER/part-$1.log" 2>&1 || [ $? -lt 4 ]; }
export -f part
export PARTS=$parts FOLDER=$folder
if command -v parallel >/dev/null; then
    parallel --will-cite part {} "$@" ::: $(seq "$parts")
else
    seq "$parts" | xargs -P "$(nproc)" -I{} bash -c 'part "$@"' part {} "$@"
fi
exec cpuid-fidelity merge "$folder"/part-*.jsonl --json "$folder/merged.jsonl" --html "$folder/report.html"
