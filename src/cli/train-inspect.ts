/** @module `safeguard train inspect RUN`: where a run is, how it does, what is doubtful, and what it said. */
import { type Command, InvalidArgumentError } from 'commander';
import { goldOf, markOf } from '../training/grpo/mark.js';
import type { CompletionGroup } from '../training/runs/completions.js';
import type { Inspection, Which } from '../training/runs/inspection.js';
import { formatValue, type Point, type Summary } from '../training/runs/series.js';
import { formatDuration } from '../util/progress.js';
import { processTerminal, type Terminal } from './output.js';
import { printable } from './printable.js';

interface InspectArguments extends Which {
  readonly json?: boolean;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

export function registerInspect(train: Command): void {
  train
    .command('inspect')
    .description('where a run is, its last and best values, and what is doubtful about it')
    .argument('<run>', 'the output folder of a run, also of one that is under way')
    .option('--step <n>', 'show the completions of this step', wholeNumber)
    .option('--prompt <n>', 'show the completions to the prompt of this number', wholeNumber)
    .option('--held-out', 'with --step or --prompt: the greedy answers to held-out prompts')
    .option('--json', 'one JSON object')
    .action(async (path: string, options: InspectArguments) => {
      const [{ openRun }, { completionsAt, inspectRun }] = await Promise.all([
        import('../training/runs/run-log.js'),
        import('../training/runs/inspection.js'),
      ]);
      const run = await openRun(path);
      const { json = false, step, prompt, heldOut } = options;
      if (step === undefined && prompt === undefined) {
        const inspection = inspectRun(run);
        processTerminal.out(json ? JSON.stringify(inspection) : inspectionText(inspection, processTerminal));
        return;
      }
      const groups = await completionsAt(run, { step, prompt, heldOut });
      processTerminal.out(
        json
          ? JSON.stringify({ folder: run.folder, completions: groups.flatMap((group) => group.completions) })
          : completionsText(groups, processTerminal),
      );
    });
}

type Paint = Pick<Terminal, 'paint'>;

function inspectionText(inspection: Inspection, { paint }: Paint): string {
  const { method, folder, warnings } = inspection;
  return [
    `${paint('bold', method.toUpperCase())}  ${paint('bold', printable(folder))}`,
    ...stateLines(inspection),
    '',
    ...measureLines(inspection.measures, { paint }),
    '',
    ...(warnings.length === 0
      ? [paint('green', 'nothing doubtful found')]
      : warnings.map(
          ({ name, message }) => `${paint('yellow', `doubtful: ${printable(name)}`)}  ${printable(message)}.`,
        )),
  ].join('\n');
}

const STATUS: Readonly<Record<Inspection['status'], string>> = {
  'under way': 'under way or interrupted; the same command goes on',
  finished: 'finished',
  'no longer better': 'stopped, since evaluation.patience evaluations brought nothing better',
};

function stateLines({ status, step, steps, seconds, written, checkpoints, best }: Inspection): string[] {
  const newest = checkpoints.at(-1);
  return [
    `step ${step}${steps === null ? '' : ` of ${steps}`}, ${STATUS[status]}`,
    `${formatDuration(seconds)} of training, the last step written ${written}`,
    newest === undefined
      ? 'no checkpoint yet'
      : `newest checkpoint: ${newest}${checkpoints.length > 1 ? ` (also kept: ${checkpoints.slice(0, -1).join(', ')})` : ''}`,
    ...(best === null
      ? []
      : [
          `best held-out ${best.by === 'reward' ? 'reward' : 'macro-F1'}: ` +
            `${formatValue(best[best.by] ?? Number.NaN)} after step ${best.step}` +
            (best.patience > 0
              ? `, ${best.evaluations_since} evaluations since (${best.patience} end the run)`
              : ''),
        ]),
  ];
}

function measureLines(measures: readonly Summary[], { paint }: Paint): string[] {
  const at = (point: Point | null): string =>
    point === null ? '' : `${formatValue(point.value)} (${point.step})`;
  const rows = measures.map(({ name, curve, unit, first, last, best }) => ({
    curve,
    cells: [`  ${printable(name)}`, at(first), at(last), at(best), unit],
  }));
  const head = ['measure', 'first (step)', 'last (step)', 'best (step)', 'unit'];
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map(({ cells }) => cells[i].length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd();
  return [
    paint('dim', line(head)),
    ...rows.flatMap(({ curve, cells }, i) => [
      ...(rows[i - 1]?.curve === curve ? [] : [paint('bold', curve)]),
      line(cells),
    ]),
  ];
}

const STYLES = { right: 'green', wrong: 'red', invalid: 'yellow' } as const;

function completionsText(groups: readonly CompletionGroup[], { paint }: Paint): string {
  return groups
    .map(({ step, promptIndex, completions }) => {
      const [{ label, answer, prompt, images }] = completions;
      return [
        paint('bold', `step ${step}  prompt ${promptIndex}  gold ${printable(goldOf({ label, answer }))}`),
        ...images.map((image) => paint('dim', `  picture ${printable(image)}`)),
        ...indented(prompt, '  '),
        ...completions.flatMap((record) => {
          const { place, read, reward, rewards, advantage, tokens, truncated, completion } = record;
          const mark = markOf(record);
          const parts = Object.entries(rewards).map(
            ([name, value]) => `${printable(name)} ${value === null ? '–' : formatValue(value)}`,
          );
          const style = STYLES[mark];
          const said = label === null ? mark : `read ${read}`;
          return [
            `  ${place + 1}. ${paint(style, said)}  reward ${formatValue(reward)} (${parts.join(', ')})  ` +
              `advantage ${formatValue(advantage)}  ${tokens} tokens${truncated ? ', cut off' : ''}`,
            ...indented(completion, '       '),
          ];
        }),
      ].join('\n');
    })
    .join('\n\n');
}

const indented = (text: string, space: string): string[] =>
  printable(text)
    .split('\n')
    .map((line) => `${space}${line}`);
