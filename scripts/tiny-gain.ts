/**
 * What GRPO gave on policies it never saw: `tsx scripts/tiny-gain.ts --start FOLDER --trained FOLDER [--trained FOLDER …]
 * [--limit 2000] [--questions 500] [--seed 1]`. Prints a table, then one JSON line.
 */
import { parseArgs } from 'node:util';
import { modelAnswerer } from '../src/evaluation/answerer.js';
import { type Examined, gainFigures, gainOver, type GainFigures } from '../src/evaluation/gain.js';
import type { Estimate } from '../src/evaluation/metrics.js';
import { probeTasks } from '../src/evaluation/probe.js';
import { evaluateTiny, SMALLEST_LIMIT } from '../src/evaluation/tiny-eval.js';
import { LoadedModel } from '../src/generation/model.js';
import { loadIcons } from '../src/iconworld/raster.js';
import { UserError } from '../src/util/errors.js';
import { ProgressLine } from '../src/util/progress.js';
import { runScript, wholeNumber } from './script-util.js';

interface Asked {
  readonly seed: string;
  readonly limit: number;
  readonly questions: number;
}

async function examine(folder: string, { seed, limit, questions }: Asked): Promise<Examined> {
  const model = await LoadedModel.load(folder);
  const progress = new ProgressLine();
  let answered = 0;
  const onAnswered = (count: number): void => {
    answered += count;
    progress.update(`${folder}: ${answered} / ${limit + questions} answers`);
  };
  const answerer = modelAnswerer(model, { onAnswered });
  const evaluation = await evaluateTiny(answerer, { seed, limit, parts: ['free', 'levels'] });
  const asked = await probeTasks(answerer, { task: 'question', count: questions, seed });
  progress.finish(`${folder}: ${answered} answers`);
  await model.dispose();
  return { evaluation, questions: asked.exact };
}

const COLUMNS: readonly (readonly [keyof GainFigures, string])[] = [
  ['levelsF1', 'F1, mean of L1–L5'],
  ['freeF1', 'F1, free'],
  ['safeAccuracy', 'safe right'],
  ['unsafeAccuracy', 'unsafe right'],
  ['invalid', 'unreadable'],
  ['accuracyOfReadable', 'right of readable'],
  ['questions', 'questions'],
];

const number = (value: number | null): string => (value === null ? '–' : value.toFixed(3));
const points = ({ value, low, high }: Estimate): string =>
  [value, low, high].map((one) => (one === null ? '–' : (100 * one).toFixed(1))).join(' … ');

await runScript(async () => {
  const { values } = parseArgs({
    options: {
      start: { type: 'string' },
      trained: { type: 'string', multiple: true },
      limit: { type: 'string', default: '2000' },
      questions: { type: 'string', default: '500' },
      seed: { type: 'string', default: '1' },
    },
  });
  const { start: startFolder, trained = [], seed } = values;
  if (startFolder === undefined || trained.length === 0)
    throw new UserError(
      'Name the model before training with --start and at least one after it with --trained.',
    );
  const limit = wholeNumber('--limit', values.limit, SMALLEST_LIMIT);
  const asked = { seed, limit, questions: wholeNumber('--questions', values.questions, 1) };
  await loadIcons();
  const start = await examine(startFolder, asked);
  const runs: Examined[] = [];
  for (const folder of trained) runs.push(await examine(folder, asked));
  const rows = [start, ...runs].map(gainFigures);
  console.log(`| model | ${COLUMNS.map(([, title]) => title).join(' | ')} |`);
  console.log(`|---|${COLUMNS.map(() => '--:|').join('')}`);
  rows.forEach((row, i) => {
    const cells = COLUMNS.map(([name]) => number(row[name]));
    console.log(`| ${i === 0 ? 'start' : `run ${i}`} | ${cells.join(' | ')} |`);
  });
  const gains = {
    levels: gainOver('levels', start, runs),
    free: gainOver('free', start, runs),
    eachLevels: runs.map((run) => gainOver('levels', start, [run])),
  };
  console.log(`\nGain in points, 95 % interval: levels ${points(gains.levels)}, free ${points(gains.free)}`);
  gains.eachLevels.forEach((gain, i) => console.log(`run ${i + 1}, levels: ${points(gain)}`));
  console.log(JSON.stringify({ seed, limit, models: rows, gains }));
});
