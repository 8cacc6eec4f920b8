/** @module Whether a checkpoint may go on under a configuration: the same one, or one with another number of steps. */
import { type Schedule, scheduleFactor } from '../optim/schedules.js';
import { UserError } from '../util/errors.js';
import { type Extension, readDescription } from './run-description.js';
import { readState } from './run-folder.js';
import { flat } from './runs/settings.js';

type Settings = Readonly<Record<string, unknown>> & { readonly steps: number };

/** What a run that goes on is checked by. */
export interface Continuing<Config extends Settings> {
  /** The run's folder, with run.json, and the checkpoint in it. */
  readonly folder: string;
  readonly checkpoint: string;
  readonly config: Config;
  /** The hash of what decides a run's numbers. */
  readonly identityOf: (config: Config) => string;
  /** Settings that may change between two starts, as `identityOf` has it: they are no reason. */
  readonly free: readonly string[];
}

/**
 * Null for the same configuration, else how its number of steps changed.
 * @throws UserError that names every setting which differs, with its old and its new value.
 */
export function checkGoesOn<Config extends Settings>({
  folder,
  checkpoint,
  config,
  identityOf,
  free,
}: Continuing<Config>): Extension | null {
  const state = readState(checkpoint);
  if (state.config === identityOf(config)) return null;
  const description = readDescription(folder);
  // A run that was extended before and has saved nothing since stands at the steps of before that.
  const planned = [
    ...(description === null ? [] : [description.config.steps]),
    ...(description?.extended ?? []).map(({ from }) => from),
  ];
  const from = planned.find((steps) => state.config === identityOf({ ...config, steps }));
  if (from !== undefined) return { after: state.step, from, to: config.steps };
  throw new UserError(
    `${checkpoint} was made under another configuration: ${whatDiffers(description, config, free)}`,
    {
      code: 'invalid_config',
    },
  );
}

const REMEDY = 'give the run another output folder, or set back what decides its numbers to go on';

function whatDiffers(
  description: ReturnType<typeof readDescription>,
  config: Settings,
  free: readonly string[],
): string {
  const isFree = (name: string): boolean =>
    ['steps', ...free].some((one) => name === one || name.startsWith(`${one}.`));

  if (description === null) return `run.json, which would say in which setting, is missing; ${REMEDY}.`;
  const [before, now] = [description.config, plain(config)].map((settings) => new Map(flat(settings)));
  const names = [...new Set([...before.keys(), ...now.keys()])].filter(
    (name) => !isFree(name) && before.get(name) !== now.get(name),
  );
  if (names.length === 0)
    return `run.json was changed since, so it does not say in which setting; ${REMEDY}.`;
  const shown = (value: string | undefined): string => value ?? 'not set';
  const list = names.map((name) => `${name} was ${shown(before.get(name))} and is ${shown(now.get(name))}`);
  return `${list.join('; ')}. Set ${names.length === 1 ? 'it' : 'them'} back to go on, or give the run another output folder.`;
}

/** As JSON has it: what is undefined is not there. */
const plain = (settings: Settings): Readonly<Record<string, unknown>> =>
  JSON.parse(JSON.stringify(settings)) as Record<string, unknown>;

export interface Planned {
  readonly schedule: Omit<Schedule, 'totalSteps'>;
  /** Optimizer updates that one step makes. */
  readonly updatesPerStep: number;
  /** Entries of the curriculum, whose shares are of all steps; 0 where there is none. */
  readonly curriculum: number;
}

/** What another number of steps means for the steps that follow, in a sentence for people. */
export function extensionNote(
  { after, from, to }: Extension,
  { schedule, updatesPerStep, curriculum }: Planned,
): string {
  const factor = (steps: number): number =>
    scheduleFactor({ ...schedule, totalSteps: steps * updatesPerStep }, after * updatesPerStep);
  const [before, now] = [from, to].map(factor);
  const shown = (share: number): string => share.toPrecision(3);
  const changes = [
    ...(schedule.kind === 'constant'
      ? []
      : [
          `the ${schedule.kind} schedule runs over ${to} steps from here on, so the rate goes on at ${shown(now)} of its peak and not at ${shown(before)}`,
        ]),
    ...(curriculum > 1 ? [`the shares of data.curriculum are of ${to} steps from here on`] : []),
  ];
  const rest =
    changes.length === 0
      ? `as if the run had begun with ${to}`
      : `${changes.join(', and ')}; what was trained stays`;
  return `${from} steps became ${to}: ${rest}`;
}
