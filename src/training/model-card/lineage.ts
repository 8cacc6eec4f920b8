/** @module Where a folder of weights comes from: the runs that made it, back to the first model, and what they measured. */
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { isHubName } from '../../checkpoint/hub/index.js';
import { readJsonObject } from '../../checkpoint/json.js';
import { readDescription, type RunDescription } from '../run-description.js';
import { type HeldOutPoint, openRun } from '../runs/run-log.js';

/** One run on the way. */
export interface Stage {
  readonly method: RunDescription['method'];
  readonly config: RunDescription['config'];
  /** The step whose weights went on; null where the folder's name does not tell. */
  readonly step: number | null;
  /** Held-out measures of the start and of that step; fewer where they were not made. */
  readonly heldOut: readonly HeldOutPoint[];
}

export interface Base {
  /** Its name on the hub; null for one that is not known to be there. */
  readonly hub: string | null;
  /** The commit on the hub, where the folder tells. */
  readonly commit: string | null;
  /** What people call it: no path of this machine. */
  readonly label: string;
}

export interface Lineage {
  readonly base: Base;
  /** Oldest first; none for a folder that no run of ours made. */
  readonly stages: readonly Stage[];
}

/** Runs that follow one another; more is a circle. */
const MOST_STAGES = 16;
/** A folder of the hub's cache. */
const SNAPSHOT = /models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\]([0-9a-f]{40})[/\\]?$/u;
const CHECKPOINT = /^checkpoint-(\d+)$/u;

/**
 * @param run the folder of the run that made `folder`; by default the one that it lies in, if any.
 * @throws UserError where a run on the way is damaged.
 */
export async function lineageOf(folder: string, run?: string): Promise<Lineage> {
  const stages: Stage[] = [];
  let at = resolve(folder);
  let own: string | undefined = run ?? dirname(at);
  while (own !== undefined && stages.length < MOST_STAGES) {
    const description = readDescription(own);
    if (description === null) break;
    stages.unshift(await stageOf(at, own, description));
    const { model } = description.config;
    if (!existsSync(model)) return { base: baseOf(model, null), stages };
    at = resolve(model);
    own = dirname(at);
  }
  if (stages.length > 0) return { base: baseOf(at, at), stages };
  return { base: baseOfFolder(at), stages };
}

async function stageOf(folder: string, run: string, { method, config }: RunDescription): Promise<Stage> {
  if (!existsSync(join(run, 'metrics.jsonl'))) return { method, config, step: null, heldOut: [] };
  const log = await openRun(run);
  const named = CHECKPOINT.exec(basename(folder));
  const best = basename(folder) === 'best' ? (log.state?.grpo?.best?.step ?? null) : null;
  const step = named === null ? best : Number(named[1]);
  return {
    method,
    config,
    step,
    heldOut: log.heldOut.filter((point) => point.step === 0 || point.step === step),
  };
}

function baseOf(model: string, folder: string | null): Base {
  const [, org, name, commit] = SNAPSHOT.exec(model) ?? [];
  if (name !== undefined) return { hub: `${org}/${name}`, commit, label: `${org}/${name}` };
  if (folder === null && isHubName(model)) return { hub: model, commit: null, label: model };
  return { hub: null, commit: null, label: basename(model) };
}

/** A folder that no run describes: an adapter names its base, a whole model is its own. */
function baseOfFolder(folder: string): Base {
  const config = join(folder, 'adapter_config.json');
  if (!existsSync(config)) return baseOf(folder, folder);
  const { base_model_name_or_path: named } = readJsonObject(config);
  const model = typeof named === 'string' && named !== '' ? named : 'unknown';
  return baseOf(model, existsSync(model) ? model : null);
}
