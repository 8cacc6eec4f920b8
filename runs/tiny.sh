#!/usr/bin/env bash
# Trains models/safeguard-vl-tiny from nothing. Every stage goes on from its newest checkpoint, so this script can be
# stopped and started at will; a stage that is done is not run again.
set -euo pipefail
cd "$(dirname "$0")/.."
out=runs/out/tiny
[ -e dist/cli/main.js ] || npm run build

stage() { # NAME: runs/tiny/NAME.yaml, then a plain folder of its last checkpoint and a free-running look at it
  local name=$1
  [ -e "$out/$name/final/config.json" ] && return
  node dist/cli/main.js train sft --config "runs/tiny/$name.yaml"
  npx tsx scripts/tiny-export.ts --run "$out/$name" --output "$out/$name/final"
  npx tsx scripts/tiny-probe.ts --model "$out/$name/final" --limit 200 | tee "$out/$name/probe.txt"
}

[ -e "$out/init/config.json" ] || npx tsx scripts/tiny-init.ts --output "$out/init"
stage 1-read
stage 2-see
stage 3-list
stage 4-see
stage 5-judge
stage 6-see
stage 7-judge
stage 8-places
stage 9-judge
stage 10-see
stage 11-judge
stage 12-judge

# The method's two stages: SFT on recaptions of the model's own descriptions, then GRPO. Both were run from stage 11.
node dist/cli/main.js data iconworld "$out/scenes" --split train --scenes 1000 --seed 31 --no-sheet
node dist/cli/main.js data recaption "$out/scenes" "$out/recaptions" --world iconworld --model "$out/11-judge/final"
stage 13-recaption
node dist/cli/main.js train grpo --config runs/tiny/14-grpo.yaml

# Between stages 11 and 12 lie the shipped weights: names of the one, levels of the other. Names and quotations are worse after the two
# last stages (LOG.md).
npx tsx scripts/tiny-average.ts --from "$out/11-judge/final" --to "$out/12-judge/final" --share 0.6 \
  --output models/safeguard-vl-tiny --dtype F16
npm run tiny:eval -- --seed 1 --limit 2000
