/**
 * @module Supervised fine-tuning, read top to bottom: every step takes the next `batch_size` samples of the stream,
 * sorts them by length into micro-batches, adds up their gradients, clips, and updates. The sample stream, the schedule
 * and the update depend only on the step's number, so a run resumed from a checkpoint ends bit-equal to one that was
 * never interrupted (same machine, same threads).
 */
import type { FileCalls } from '../checkpoint/files.js';
import type { ResolveOptions } from '../checkpoint/hub/index.js';
import { type FolderLock, lockFolder } from '../util/folder-lock.js';
import { runIdentity, SFT_FREE, type SftConfig } from './config.js';
import type { SampleSource } from './examples.js';
import { metricsLine, type StepMetrics } from './metrics.js';
import type { Extension } from './run-description.js';
import { RunFolder, type RunState } from './run-folder.js';
import { checkGoesOn, extensionNote, type Planned } from './run-identity.js';
import { RunView } from './run-view.js';
import { SftTrainer } from './sft-trainer.js';

export type { StepMetrics } from './metrics.js';

export interface SftHooks {
  /** Stops the run after the current step, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onStep?: (metrics: StepMetrics) => void;
  /** Shows nothing. */
  readonly quiet?: boolean;
  /** Shows how far a model of the hub is fetched. */
  readonly onDownload?: ResolveOptions['onProgress'];
  /** How checkpoints are written, for tests of a full disk. */
  readonly files?: FileCalls;
}

export interface SftResult {
  /** The last checkpoint's folder. */
  readonly checkpoint: string;
  /** Steps done. */
  readonly step: number;
  /** Whether all steps are done; false after an interruption. */
  readonly finished: boolean;
}

/**
 * Runs a configuration to its end, going on from the newest checkpoint of its output folder.
 * @throws UserError for a model, data or an output folder that cannot be used, and (`busy`) for a folder that another
 * process trains in; what was saved before stays.
 */
export async function trainSft(
  config: SftConfig,
  source: SampleSource,
  hooks: SftHooks = {},
): Promise<SftResult> {
  const folder = new RunFolder(config.output);
  const lock = lockFolder(config.output, 'train sft');
  try {
    const trainer = await SftTrainer.create(config, source, hooks.onDownload);
    const view = hooks.quiet ? undefined : new RunView(config.steps);
    const onAbort = (): void => view?.stopping();
    hooks.signal?.addEventListener('abort', onAbort);
    try {
      return await run(config, trainer, { ...hooks, view, folder, lock });
    } finally {
      hooks.signal?.removeEventListener('abort', onAbort);
      view?.end();
      await trainer.dispose();
    }
  } finally {
    lock.release();
  }
}

interface Running extends SftHooks {
  readonly view?: RunView;
  readonly folder: RunFolder;
  readonly lock: FolderLock;
}

async function run(
  config: SftConfig,
  trainer: SftTrainer,
  { signal, onStep, files, view, folder, lock }: Running,
): Promise<SftResult> {
  const { weights, optimized } = trainer;
  folder.removeLeftovers();
  const identity = runIdentity(config);
  let saved = folder.newest();
  let state: RunState = { step: 0, samples: 0, seconds: 0, config: identity };
  let extension: Extension | null = null;
  if (saved !== undefined) {
    extension = checkGoesOn({
      folder: folder.path,
      checkpoint: saved,
      config,
      identityOf: runIdentity,
      free: SFT_FREE,
    });
    const restored = await folder.restore(saved, weights, optimized, trainer.store);
    state = { ...restored, config: identity };
  }
  folder.trimMetrics(state.step);
  folder.describe({ method: 'sft', config }, extension);
  view?.begins(state.step, saved, extension && extensionNote(extension, plannedBy(config)));

  const save = async (): Promise<string> => {
    const { keep } = config.checkpoint;
    saved = await folder.save(state, weights, optimized, {
      folder: trainer.folder,
      keep,
      files,
      store: trainer.store,
    });
    view?.saved(saved);
    return saved;
  };
  const started = process.uptime() - state.seconds;
  while (state.step < config.steps && !signal?.aborted) {
    lock.check();
    const before = process.uptime();
    const outcome = await trainer.step(state.step);
    const now = process.uptime();
    state = {
      ...state,
      step: state.step + 1,
      samples: state.samples + config.batch_size,
      seconds: now - started,
    };
    const { step, samples, seconds } = state;
    const tokensPerSecond = outcome.tokens / (now - before);
    const heldOut = await trainer.evaluate(step);
    const metrics: StepMetrics = { step, samples, seconds, tokensPerSecond, heldOut, ...outcome };
    folder.appendMetrics(metricsLine(metrics));
    onStep?.(metrics);
    view?.step(metrics);
    if (step % config.checkpoint.every_steps === 0) await save();
  }
  // Leaves a checkpoint that the loop has just written as it is.
  const checkpoint = await save();
  const finished = state.step >= config.steps;
  view?.finish(state.step, checkpoint);
  return { checkpoint, step: state.step, finished };
}

function plannedBy({ schedule, data }: SftConfig): Planned {
  return {
    schedule: { kind: schedule.kind, warmupSteps: schedule.warmup_steps, minRatio: schedule.min_ratio },
    updatesPerStep: 1,
    curriculum: data.source === 'iconworld' ? data.curriculum.length : 0,
  };
}
