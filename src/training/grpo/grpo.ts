/**
 * @module GRPO, read top to bottom: every step samples completions, rewards them, turns rewards into advantages, and
 * updates. Prompts, seeds, schedule and update depend only on numbers that a checkpoint holds, so a run resumed from one
 * ends bit-equal to one that was never interrupted (same machine, same threads).
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeCheckpoint } from '../../checkpoint/checkpoint.js';
import type { FileCalls } from '../../checkpoint/files.js';
import type { ResolveOptions } from '../../checkpoint/hub/index.js';
import type { RewardFunction } from '../rewards/reward.js';
import { type FolderLock, lockFolder } from '../../util/folder-lock.js';
import type { Extension } from '../run-description.js';
import { RunFolder, type RunState } from '../run-folder.js';
import { checkGoesOn, extensionNote, type Planned } from '../run-identity.js';
import { CompletionLog } from './completion-log.js';
import { GRPO_FREE, type GrpoConfig, grpoIdentity } from './config.js';
import { hasSpread } from './groups.js';
import { type Gathered, GrpoTrainer, type UpdateOutcome } from './grpo-trainer.js';
import { heldOutOf, measure, recordsOf } from './measures.js';
import type { GrpoPrompt, PromptSource } from './prompts.js';
import { COMPLETIONS_FILE, type GrpoMetrics, HELD_OUT_FILE, type HeldOut } from './records.js';
import { profileOf, rewardsOf } from './rewards.js';
import { type GrpoEnd, GrpoView } from './run-view.js';
import { checkStep } from './self-checks.js';
import { noSums } from './update.js';

export interface GrpoHooks {
  /** Stops the run after the current step, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onStep?: (metrics: GrpoMetrics) => void;
  /** Rewards of one's own, by the names that the configuration gives weights. */
  readonly rewards?: Readonly<Record<string, RewardFunction>>;
  /** Shows nothing. */
  readonly quiet?: boolean;
  /** Shows how far a model of the hub is fetched. */
  readonly onDownload?: ResolveOptions['onProgress'];
  /** How checkpoints are written, for tests of a full disk. */
  readonly files?: FileCalls;
}

export interface GrpoResult {
  /** The last checkpoint's folder. */
  readonly checkpoint: string;
  /** The folder of the best held-out model; null where nothing was held out. */
  readonly best: string | null;
  readonly step: number;
  /** Why it ended. */
  readonly ended: GrpoEnd;
}

/** The best checkpoint so far, as a plain folder of the model. */
const BEST_FOLDER = 'best';

type GrpoState = NonNullable<RunState['grpo']>;

const FRESH: GrpoState = {
  updates: 0,
  silent_steps: 0,
  truncated_steps: 0,
  start: null,
  best: null,
  evaluations_since_best: 0,
};

/**
 * Runs a configuration to its end, going on from the newest checkpoint of its output folder.
 * @throws UserError for a model, data, rewards or an output folder that cannot be used, and where a self-check finds
 * that going on is pointless; what was saved before stays.
 */
export async function trainGrpo(
  config: GrpoConfig,
  source: PromptSource,
  hooks: GrpoHooks = {},
): Promise<GrpoResult> {
  const profile = await profileOf(config);
  const rewards = rewardsOf(config, profile, hooks.rewards);
  const folder = new RunFolder(config.output);
  const lock = lockFolder(config.output, 'train grpo');
  try {
    const trainer = await GrpoTrainer.create(config, {
      source,
      rewards,
      profile,
      onDownload: hooks.onDownload,
    });
    const view = hooks.quiet ? undefined : new GrpoView(config.steps);
    const onAbort = (): void => view?.stopping();
    hooks.signal?.addEventListener('abort', onAbort);
    try {
      return await new GrpoRun(config, trainer, source, hooks, { view, folder, lock }).run();
    } finally {
      hooks.signal?.removeEventListener('abort', onAbort);
      view?.end();
      await trainer.dispose();
    }
  } finally {
    lock.release();
  }
}

interface Surroundings {
  readonly view: GrpoView | undefined;
  readonly folder: RunFolder;
  readonly lock: FolderLock;
}

class GrpoRun {
  private readonly view: GrpoView | undefined;
  private readonly folder: RunFolder;
  private readonly lock: FolderLock;
  private readonly log: CompletionLog;
  private readonly heldOutLog: CompletionLog;
  private state: RunState & { readonly grpo: GrpoState };
  private heldOut: readonly GrpoPrompt[] = [];

  constructor(
    private readonly config: GrpoConfig,
    private readonly trainer: GrpoTrainer,
    private readonly source: PromptSource,
    private readonly hooks: GrpoHooks,
    { view, folder, lock }: Surroundings,
  ) {
    this.view = view;
    this.folder = folder;
    this.lock = lock;
    this.log = new CompletionLog(config.output, COMPLETIONS_FILE);
    this.heldOutLog = new CompletionLog(config.output, HELD_OUT_FILE);
    this.state = { step: 0, samples: 0, seconds: 0, config: grpoIdentity(config), grpo: FRESH };
  }

  async run(): Promise<GrpoResult> {
    const { config, trainer, hooks, view } = this;
    this.folder.removeLeftovers();
    const saved = this.folder.newest();
    let extension: Extension | null = null;
    if (saved !== undefined) {
      const { path } = this.folder;
      extension = checkGoesOn({
        folder: path,
        checkpoint: saved,
        config,
        identityOf: grpoIdentity,
        free: GRPO_FREE,
      });
      const state = await this.folder.restore(saved, trainer.weights, trainer.optimized, trainer.store);
      this.state = { ...state, config: this.state.config, grpo: state.grpo ?? FRESH };
    }
    this.folder.trimMetrics(this.state.step);
    this.log.trim(this.state.step);
    // Before the first step the start is measured anew.
    this.heldOutLog.trim(this.state.step === 0 ? -1 : this.state.step);
    this.folder.describe({ method: 'grpo', config }, extension);
    view?.begins(this.state.step, saved, extension && extensionNote(extension, plannedBy(config)));
    this.heldOut = await this.source.heldOut(config.evaluation.prompts);
    if (this.state.step === 0) await this.evaluateStart();
    let ended: GrpoResult['ended'] | null = null;
    while (ended === null) {
      if (this.state.step >= config.steps) ended = 'finished';
      else if (hooks.signal?.aborted) ended = 'interrupted';
      else if (this.isNoLongerBetter()) ended = 'no longer better';
      else await this.step();
    }
    const checkpoint = await this.save();
    view?.finish(this.state.step, checkpoint, ended);
    const best = join(config.output, BEST_FOLDER);
    return { checkpoint, best: existsSync(best) ? best : null, step: this.state.step, ended };
  }

  private isNoLongerBetter(): boolean {
    const { patience } = this.config.evaluation;
    return patience > 0 && this.state.grpo.evaluations_since_best >= patience;
  }

  private async step(): Promise<void> {
    const { config, trainer, state } = this;
    this.lock.check();
    const before = process.uptime();
    const gathered = await trainer.gather(state.step, state.samples);
    const sampled = process.uptime();
    const { learned } = gathered;
    // Before the update, as it asks what the sampling weights see.
    const imageEffect = state.step === 0 && learned.length > 0 ? await trainer.imageEffect(learned[0]) : null;
    const checked = process.uptime();
    const outcome = await this.learn(gathered);
    const updated = process.uptime();
    const step = state.step + 1;
    const completions = gathered.groups.flatMap((group) => group.completions);
    const silent = !gathered.groups.some(hasSpread);
    const truncated = completions.every((completion) => completion.truncated);
    const silentSteps = silent ? state.grpo.silent_steps + 1 : 0;
    const truncatedSteps = truncated ? state.grpo.truncated_steps + 1 : 0;
    checkStep({
      step,
      loss: outcome.loss,
      gradNorm: outcome.gradNorm,
      // Later updates of a batch are meant to differ from the sampler.
      mismatch: outcome.updates === 1 ? outcome.sums.mismatch : null,
      imageEffect,
      silentSteps,
      maxSilentSteps: config.max_steps_without_signal,
      truncatedSteps,
      maxTruncatedSteps: config.max_truncated_steps,
      maxCompletionLength: config.max_completion_length,
    });
    this.state = {
      ...state,
      step,
      samples: state.samples + gathered.drawn,
      seconds: state.seconds + (updated - before),
      grpo: {
        ...state.grpo,
        updates: state.grpo.updates + outcome.updates,
        silent_steps: silentSteps,
        truncated_steps: truncatedSteps,
      },
    };
    const heldOut = await this.evaluate();
    const times = {
      rollout: sampled - before,
      scoring: checked - sampled + outcome.sums.scoringSeconds,
      update: updated - checked - outcome.sums.scoringSeconds,
      total: this.state.seconds,
    };
    const metrics = measure(step, gathered, outcome, times, { beta: config.beta, heldOut });
    if (step % config.keep_completions_every === 0) await this.keep(this.log, gathered);
    this.folder.appendMetrics(metrics);
    this.hooks.onStep?.(metrics);
    this.view?.step(metrics);
    if (step % config.checkpoint.every_steps === 0) await this.save();
  }

  /** Groups that all earned the same teach nothing: no update, so that momentum does not move the weights either. */
  private async learn({ learned }: Gathered): Promise<UpdateOutcome> {
    if (learned.length > 0) return this.trainer.update(learned, this.state.grpo.updates);
    return { loss: 0, gradNorm: 0, lr: 0, updates: 0, sums: noSums() };
  }

  /** What the start model is worth, so that `best` is never worse than it. */
  private async evaluateStart(): Promise<void> {
    if (this.heldOut.length === 0) return;
    const { macro_f1: start, reward } = await this.measureHeldOut();
    await this.keepBest();
    const { state } = this;
    this.state = { ...state, grpo: { ...state.grpo, start, best: { step: 0, macro_f1: start, reward } } };
    this.view?.start(start);
  }

  /** Held-out answers where they are due; the best model so far is kept as a folder of its own. */
  private async evaluate(): Promise<HeldOut | null> {
    const { config, heldOut, state } = this;
    const due = state.step % config.evaluation.every_steps === 0 || state.step === config.steps;
    if (!due || heldOut.length === 0) return null;
    const measured = await this.measureHeldOut();
    const { best } = state.grpo;
    const { select = 'macro_f1' } = config.evaluation;
    if (best !== null && measured[select] <= (best[select] ?? Number.NEGATIVE_INFINITY)) {
      this.state = {
        ...state,
        grpo: { ...state.grpo, evaluations_since_best: state.grpo.evaluations_since_best + 1 },
      };
      return measured;
    }
    await this.keepBest();
    this.state = {
      ...state,
      grpo: {
        ...state.grpo,
        best: { step: state.step, macro_f1: measured.macro_f1, reward: measured.reward },
        evaluations_since_best: 0,
      },
    };
    return measured;
  }

  /** Greedy answers to the held-out prompts, which are kept. */
  private async measureHeldOut(): Promise<HeldOut> {
    const groups = await this.trainer.evaluate(this.heldOut);
    await this.keep(this.heldOutLog, { groups, learned: [] });
    return heldOutOf(groups);
  }

  /** Built beside its place, so that a kill leaves the one before or none. */
  private async keepBest(): Promise<void> {
    const target = join(this.config.output, BEST_FOLDER);
    const building = join(this.config.output, `building-${this.state.step}`);
    rmSync(building, { recursive: true, force: true });
    const { store, folder, weights } = this.trainer;
    const { files } = this.hooks;
    if (store === undefined) {
      const tensors = [...weights].map(([name, { shape, data }]) => ({ name, shape, data }));
      await writeCheckpoint(building, { from: folder, dtype: 'F32', tensors, files });
    } else {
      await store.write(building, files);
    }
    rmSync(target, { recursive: true, force: true });
    renameSync(building, target);
  }

  private async keep(log: CompletionLog, gathered: Pick<Gathered, 'groups' | 'learned'>): Promise<void> {
    const images = new Map<number, string[]>();
    for (const { prompt } of gathered.groups) {
      images.set(prompt.index, await log.images(prompt.images));
    }
    log.append(recordsOf(this.state.step, gathered, ({ prompt }) => images.get(prompt.index) ?? []));
  }

  private async save(): Promise<string> {
    const { trainer, config } = this;
    const saved = await this.folder.save(this.state, trainer.weights, trainer.optimized, {
      folder: trainer.folder,
      keep: config.checkpoint.keep,
      files: this.hooks.files,
      store: trainer.store,
    });
    this.view?.saved(saved);
    return saved;
  }
}

function plannedBy({ schedule, data, batches, num_iterations: iterations }: GrpoConfig): Planned {
  return {
    schedule: { kind: schedule.kind, warmupSteps: schedule.warmup_steps, minRatio: schedule.min_ratio },
    updatesPerStep: batches * iterations,
    curriculum: data.source === 'iconworld' ? data.curriculum.length : 0,
  };
}
