/** `npm run tiny:eval -- --seed S --limit N [--model FOLDER] [--json-only] [--save FILE]`: the IconWorld evaluation. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { modelAnswerer } from '../src/evaluation/answerer.js';
import { evaluateTiny, metricsJson, type Outcome, SMALLEST_LIMIT } from '../src/evaluation/tiny-eval.js';
import { PARTS, partSizes } from '../src/evaluation/tiny-items.js';
import { tinyReport } from '../src/evaluation/tiny-report.js';
import { LoadedModel } from '../src/generation/model.js';
import { EMBEDDED_MODEL } from '../src/checkpoint/embedded.js';
import { loadIcons } from '../src/iconworld/raster.js';
import { messageOf, UserError } from '../src/util/errors.js';
import { formatDuration, ProgressLine } from '../src/util/progress.js';
import { runScript, wholeNumber } from './script-util.js';

/** One line of the file of `--save`. */
function savedLine({ item, given, verdict, label }: Outcome): string {
  const { part, scene, level, prompt, answer: gold } = item;
  return `${JSON.stringify({ part, scene, level, prompt, gold, answer: given, label, verdict })}\n`;
}

/** The file is opened before the model runs, so that a wrong path costs no minutes. */
function openSave(path: string): number {
  try {
    return openSync(path, 'w');
  } catch (error) {
    throw new UserError(`--save cannot write ${path}: ${messageOf(error)}.`);
  }
}

await runScript(async () => {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', short: 's', default: '0' },
      limit: { type: 'string', short: 'n', default: '2000' },
      model: { type: 'string', short: 'm', default: EMBEDDED_MODEL },
      'json-only': { type: 'boolean', default: false },
      save: { type: 'string' },
      'batch-size': { type: 'string', default: '48' },
      threads: { type: 'string' },
    },
  });
  const limit = wholeNumber('--limit', values.limit, SMALLEST_LIMIT);
  const batchSize = wholeNumber('--batch-size', values['batch-size'], 1);
  const threads = values.threads === undefined ? undefined : wholeNumber('--threads', values.threads, 1);
  const file = values.save === undefined ? null : openSave(values.save);
  const model = await LoadedModel.load(values.model, threads === undefined ? {} : { threads });
  await loadIcons();
  const sizes = partSizes(limit);
  const total = PARTS.reduce((sum, part) => sum + sizes[part], 0);
  const progress = new ProgressLine();
  const started = process.uptime();
  let answered = 0;
  const onAnswered = (count: number): void => {
    answered += count;
    const left = ((process.uptime() - started) / answered) * (total - answered);
    progress.update(`${answered} / ${total} judgements, ${formatDuration(left)} left`);
  };
  const evaluation = await evaluateTiny(modelAnswerer(model, { batchSize, onAnswered }), {
    seed: values.seed,
    limit,
    onOutcome: (outcome) => void (file !== null && writeSync(file, savedLine(outcome))),
  });
  progress.finish(`${total} judgements in ${formatDuration(process.uptime() - started)}`);
  if (file !== null) closeSync(file);
  if (!values['json-only']) console.log(`${tinyReport(evaluation)}\n`);
  console.log(metricsJson(evaluation));
  await model.dispose();
});
