#!/usr/bin/env bash
# slurm.sh PARTS FOLDER: submits an array of PARTS parts and a merge that waits for all of them, however they end.
set -euo pipefail
parts=${1:?PARTS} folder=$(realpath -m "${2:?FOLDER}")
mkdir -p "$folder"
# As a job's shell reads it: the folder may have spaces.
quoted=$(printf %q "$folder")
array=$(sbatch --parsable --job-name cpuid-fidelity --array "1-$parts" --cpus-per-task 2 --output "$folder/part-%a.log" --wrap \
    "cpuid-fidelity run --profile nightly --resume --shard \$SLURM_ARRAY_TASK_ID/$parts --json $quoted/part-\$SLURM_ARRAY_TASK_ID.jsonl")
sbatch --dependency "afterany:$array" --job-name cpuid-fidelity-merge --output "$folder/merge.log" --wrap \
    "cpuid-fidelity merge $quoted/part-*.jsonl --json $quoted/merged.jsonl --html $quoted/report.html"
