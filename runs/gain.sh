#!/usr/bin/env bash
# What GRPO gives: the same start, three seeds, and policies that none of them saw. Stops and goes on at will.
# Usage: runs/gain.sh START, a checkpoint folder taken early from SFT: that of runs/gain/start.yaml, or earlier embedded weights, such
# as models/safeguard-vl-tiny of commit 750c87e. runs/tiny/LOG.md has what they gave.
set -euo pipefail
start=$(realpath "${1:?give the checkpoint folder to start from}")
cd "$(dirname "$0")/.."
out=runs/out/gain
[ -e dist/cli/main.js ] || npm run build
mkdir -p "$out"
runs=()
for seed in 1 2 3; do
  sed "s|START|$start|; s|SEED|$seed|" runs/gain/grpo.yaml > "$out/$seed.yaml"
  # One thread each, side by side: what a step does outside of ONNX Runtime then costs nobody a core.
  node dist/cli/main.js train grpo --config "$out/$seed.yaml" > "$out/$seed.log" 2>&1 &
  runs+=($!)
done
for run in "${runs[@]}"; do wait "$run"; done
npx tsx scripts/tiny-gain.ts --start "$start" --trained "$out/1/best" --trained "$out/2/best" --trained "$out/3/best" | tee "$out/gain.md"
