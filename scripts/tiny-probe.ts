/** A quick free-running look at a checkpoint: `tsx scripts/tiny-probe.ts --model FOLDER [--task reading] [--limit 100]`. */
import { parseArgs } from 'node:util';
import { modelAnswerer } from '../src/evaluation/answerer.js';
import { PROBE_TASKS, probeLine, probeTasks } from '../src/evaluation/probe.js';
import { LoadedModel } from '../src/generation/model.js';
import { EMBEDDED_MODEL } from '../src/checkpoint/embedded.js';
import { loadIcons } from '../src/iconworld/raster.js';
import { SPLITS } from '../src/iconworld/splits.js';
import { ProgressLine } from '../src/util/progress.js';
import { chooseFrom, runScript, wholeNumber } from './script-util.js';

await runScript(async () => {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', short: 'm', default: EMBEDDED_MODEL },
      task: { type: 'string', multiple: true, short: 't' },
      limit: { type: 'string', default: '100' },
      split: { type: 'string', default: 'test' },
      'max-rules': { type: 'string', default: '8' },
      seed: { type: 'string', default: '0' },
      'batch-size': { type: 'string', default: '48' },
      threads: { type: 'string' },
      /** Prints so many wrong answers of each task with the gold ones. */
      show: { type: 'string', default: '0' },
    },
  });
  const tasks = values.task?.map((task) => chooseFrom('--task', task, PROBE_TASKS)) ?? PROBE_TASKS;
  const count = wholeNumber('--limit', values.limit, 1);
  const split = chooseFrom('--split', values.split, SPLITS);
  const maxRules = wholeNumber('--max-rules', values['max-rules'], 1, 8);
  const batchSize = wholeNumber('--batch-size', values['batch-size'], 1);
  const threads = values.threads === undefined ? undefined : wholeNumber('--threads', values.threads, 1);
  const show = wholeNumber('--show', values.show, 0);
  const model = await LoadedModel.load(values.model, threads === undefined ? {} : { threads });
  await loadIcons();
  const progress = new ProgressLine();
  let answered = 0;
  const onAnswered = (more: number): void => {
    answered += more;
    progress.update(`${answered} / ${tasks.length * count} answers`);
  };
  for (const task of tasks) {
    const answerer = modelAnswerer(model, { batchSize, onAnswered });
    const result = await probeTasks(answerer, { task, split, maxRules, count, seed: values.seed });
    console.log(probeLine(result));
    for (const { prompt, gold, answer } of result.wrong.slice(0, show)) {
      console.log(`\n${prompt}\n--- gold\n${gold}\n--- answer\n${answer}\n`);
    }
  }
  await model.dispose();
});
