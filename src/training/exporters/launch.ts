/** @module Shell scripts that start an engine: on one node, and on each of several. */

/** A word as bash reads it back. */
export const quoted = (word: string): string =>
  /^[\w./:=@%+-]+$/u.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

const HEAD = `#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "\${BASH_SOURCE[0]}")"`;

/** What the scripts take from the environment; a Slurm job has most of it. */
const WORLD = `export NODES=\${NODES:-1} GPUS=\${GPUS:-$(nvidia-smi --list-gpus 2>/dev/null | wc -l)}
export NODE_RANK=\${NODE_RANK:-0} MASTER_ADDR=\${MASTER_ADDR:-127.0.0.1} MASTER_PORT=\${MASTER_PORT:-29500}
MICRO_BATCH=\${MICRO_BATCH:-1}`;

interface Division {
  /** Completions or samples of one optimizer update. */
  readonly perUpdate: number;
  /** What they are, in the plural. */
  readonly items: string;
}

/** Stops where the update cannot be divided: another batch would be another run. */
const divided = ({ perUpdate, items }: Division): string => `PER_UPDATE=${perUpdate}
SHARE=$((NODES * GPUS * MICRO_BATCH))
if ((SHARE == 0 || PER_UPDATE % SHARE != 0)); then
  echo "error: $PER_UPDATE ${items} an update cannot be divided among $NODES nodes x $GPUS GPUs x MICRO_BATCH $MICRO_BATCH: set GPUS or MICRO_BATCH, or export with another batch." >&2
  exit 2
fi
ACCUMULATE=$((PER_UPDATE / SHARE))`;

/** `launch.sh` of an engine that torchrun or accelerate starts on every node. */
export const launchScript = (division: Division, command: string): string =>
  [HEAD, WORLD, divided(division), `exec ${command} "$@"`, ''].join('\n');

const REACHABLE = `: "\${SAFEGUARD_REWARDS_URL:?set SAFEGUARD_REWARDS_URL to an address of the reward service that every node reaches}"
export SAFEGUARD_REWARDS_URL`;

/** Ray spans all nodes: the first one drives, the others lend themselves until it ends. */
const RAY = `RAY_PORT=\${RAY_PORT:-6379}
if ((NODE_RANK > 0)); then
  exec ray start --address="$MASTER_ADDR:$RAY_PORT" --block
fi
ray start --head --node-ip-address="$MASTER_ADDR" --port="$RAY_PORT"
trap 'ray stop' EXIT
export RAY_ADDRESS="$MASTER_ADDR:$RAY_PORT"
bash launch.sh "$@"`;

/** `launch-nodes.sh`: given on every node, which find each other by the first one's address. */
export const nodesScript = ({ asks, ray }: { readonly asks: boolean; readonly ray: boolean }): string =>
  [
    HEAD,
    `# On every node: NODES=2 NODE_RANK=0 MASTER_ADDR=first-node bash launch-nodes.sh
# Under Slurm:   srun --ntasks-per-node=1 bash launch-nodes.sh
export NODES=\${NODES:-\${SLURM_NNODES:?set NODES to the number of nodes}}
export NODE_RANK=\${NODE_RANK:-\${SLURM_NODEID:?set NODE_RANK to the number of this node, from 0}}
if [[ -z "\${MASTER_ADDR:-}" && -n "\${SLURM_JOB_NODELIST:-}" ]]; then
  MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
fi
export MASTER_ADDR=\${MASTER_ADDR:?set MASTER_ADDR to the name of the first node}`,
    ...(asks ? [REACHABLE] : []),
    ray ? RAY : 'exec bash launch.sh "$@"',
    '',
  ].join('\n');

/** `launch.sh` of an engine that drives a Ray cluster from one node. */
export const rayScript = (division: Division, commands: readonly string[]): string =>
  [HEAD, WORLD, divided(division), ...commands, ''].join('\n');
