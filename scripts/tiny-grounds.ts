/**
 * What checking the grounds of the embedded model's verdicts is worth; every answer is read with and without the check.
 *
 * `npm run tiny:policies -- --scenes 1000`: IconWorld scenes, each under every shipped policy.
 * `npm run tiny:natural -- FOLDER --scenes 20`: the pages of FOLDER/pages.jsonl (or of a file), so many scenes each, half
 * of them safe.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EMBEDDED_MODEL } from '../src/checkpoint/embedded.js';
import { LocalEngine } from '../src/engines/local.js';
import { type GroundedReading, groundedTable, readBothWays } from '../src/evaluation/grounded.js';
import {
  balancedScenes,
  type LabelledScene,
  parsePages,
  type RuledPage,
  ruledPage,
  SHIPPED_RULES,
  testScene,
} from '../src/evaluation/ruled-pages.js';
import { DEFAULT_MAX_NEW_TOKENS } from '../src/guard/guard.js';
import { TOP_LOGPROBS } from '../src/guard/probability.js';
import { profileOfFolder } from '../src/guard/settings.js';
import { factsOf } from '../src/iconworld/captions.js';
import { judgeRules } from '../src/iconworld/label.js';
import { loadIcons } from '../src/iconworld/raster.js';
import { renderScene } from '../src/iconworld/render.js';
import { Policy } from '../src/policy/policy.js';
import { messageOf, UserError } from '../src/util/errors.js';
import { formatDuration, ProgressLine } from '../src/util/progress.js';
import { chooseFrom, runScript, wholeNumber } from './script-util.js';

const BATCH = 24;

interface Task {
  readonly page: RuledPage;
  readonly scenes: readonly LabelledScene[];
}

/** The same scenes, all there are, under every shipped policy. */
async function shippedTasks(count: number, seed: string): Promise<Task[]> {
  const scenes = Array.from({ length: count }, (_, k) => testScene(`policies/${seed}/${k}`));
  const tasks: Task[] = [];
  for (const [name, rules] of Object.entries(SHIPPED_RULES)) {
    const page = ruledPage(name, await Policy.load(join('policies', `${name}.md`)), rules);
    tasks.push({
      page,
      scenes: scenes.map((scene) => ({ scene, label: judgeRules(factsOf(scene), rules).label })),
    });
  }
  return tasks;
}

function naturalTasks(path: string | undefined, count: number, seed: string): Task[] {
  if (path === undefined)
    throw new UserError('name the folder or file of the pages: npm run tiny:natural -- FOLDER');
  let file = path;
  let text: string;
  try {
    if (statSync(path).isDirectory()) file = join(path, 'pages.jsonl');
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(`the pages cannot be read: ${messageOf(error)}`);
  }
  return parsePages(text, file).map((page) => ({ page, scenes: balancedScenes(page, count, seed) }));
}

await runScript(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      scenes: { type: 'string', short: 'n' },
      seed: { type: 'string', short: 's', default: '1' },
      model: { type: 'string', short: 'm', default: EMBEDDED_MODEL },
    },
  });
  const [what = '', path] = positionals;
  const kind = chooseFrom('the measure', what, ['policies', 'natural']);
  const count = wholeNumber('--scenes', values.scenes ?? (kind === 'policies' ? '1000' : '20'), 1);
  await loadIcons();
  const tasks =
    kind === 'policies' ? await shippedTasks(count, values.seed) : naturalTasks(path, count, values.seed);
  const profile = await profileOfFolder(values.model);
  const engine = await LocalEngine.load(values.model, {});
  const total = tasks.reduce((sum, { scenes }) => sum + scenes.length, 0);
  const progress = new ProgressLine();
  const started = process.uptime();
  let done = 0;
  const groups: { name: string; readings: GroundedReading[] }[] = [];
  for (const { page, scenes } of tasks) {
    const readings: GroundedReading[] = [];
    for (let from = 0; from < scenes.length; from += BATCH) {
      const batch = scenes.slice(from, from + BATCH);
      const completions = await engine.completeAll(
        batch.map(({ scene }) => profile.messages([renderScene(scene)], page.policy)),
        { maxNewTokens: DEFAULT_MAX_NEW_TOKENS, topLogprobs: TOP_LOGPROBS },
      );
      readings.push(
        ...completions.map((completion, i) => readBothWays(completion, batch[i].label, page.policy, profile)),
      );
      done += batch.length;
      const left = ((process.uptime() - started) / done) * (total - done);
      progress.update(`${done} / ${total} judgements, ${formatDuration(left)} left`);
    }
    groups.push({ name: page.id, readings });
  }
  progress.finish(
    `${total} judgements in ${formatDuration(process.uptime() - started)}, seed ${values.seed}`,
  );
  await engine.close();
  const all = { name: 'all', readings: groups.flatMap(({ readings }) => readings) };
  console.log(groundedTable([...groups, all]));
});
