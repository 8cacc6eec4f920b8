/**
 * `npm run tiny:regimes -- --seed S --limit N [--model FOLDER]`: F1 and time of the regimes fast, reason and hybrid on
 * free judgements of IconWorld, and how well their probabilities are calibrated.
 */
import { parseArgs } from 'node:util';
import { binaryF1 } from '../src/evaluation/metrics.js';
import { drawPart, type EvalItem, partSizes } from '../src/evaluation/tiny-items.js';
import { EMBEDDED_MODEL } from '../src/checkpoint/embedded.js';
import { Guard, verdictsOf } from '../src/guard/guard.js';
import { REGIMES, type Regime } from '../src/guard/regimes.js';
import type { Verdict } from '../src/guard/verdict.js';
import { loadIcons } from '../src/iconworld/raster.js';
import { Policy } from '../src/policy/policy.js';
import { assert } from '../src/util/errors.js';
import { ProgressLine } from '../src/util/progress.js';
import { runScript, wholeNumber } from './script-util.js';

const BATCH = 48;

interface Row {
  readonly regime: Regime;
  readonly f1: number | null;
  readonly accuracy: number;
  readonly invalid: number;
  /** Mean squared error of P(unsafe), over verdicts that have one; null of none. */
  readonly brier: number | null;
  readonly reasoned: number;
  readonly milliseconds: number;
}

await runScript(async () => {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', short: 's', default: '0' },
      limit: { type: 'string', short: 'n', default: '400' },
      model: { type: 'string', short: 'm', default: EMBEDDED_MODEL },
      certainty: { type: 'string', default: '0.9' },
    },
  });
  const limit = wholeNumber('--limit', values.limit, 1);
  await loadIcons();
  const items = drawPart('free', values.seed, { ...partSizes(2 * Math.max(limit, 10)), free: limit });
  const guard = await Guard.load(values.model, { profile: 'iconworld' });
  const progress = new ProgressLine();
  await judged(guard, items.slice(0, BATCH), 'fast', Number(values.certainty)); // The first pass allocates.
  const rows: Row[] = [];
  for (const regime of REGIMES) {
    progress.update(`${regime}: ${limit} judgements`);
    rows.push(await measured(guard, items, regime, Number(values.certainty)));
  }
  progress.finish(`${limit} judgements a regime, seed ${values.seed}, in batches of ${BATCH}`);
  await guard.dispose();
  const share = (value: number | null): string => (value === null ? 'none' : value.toFixed(3));
  console.log('| regime | F1 (unsafe) | accuracy | invalid | Brier | reasoned | ms a judgement |');
  console.log('|---|---|---|---|---|---|---|');
  for (const row of rows) {
    const cells = [row.f1, row.accuracy, row.invalid, row.brier, row.reasoned].map(share);
    console.log(`| ${row.regime} | ${cells.join(' | ')} | ${row.milliseconds.toFixed(1)} |`);
  }
  console.log(JSON.stringify(Object.fromEntries(rows.map(({ regime, ...row }) => [regime, row]))));
});

async function judged(
  guard: Guard,
  items: readonly EvalItem[],
  regime: Regime,
  certainty: number,
): Promise<Verdict[]> {
  const judgements = items.map(({ image, policy }) => {
    assert(image, 'an item without its picture');
    return { image, policy: Policy.fromMarkdown(policy.text) };
  });
  return verdictsOf(guard.judgeAll(judgements, { regime, certainty, batchSize: BATCH }));
}

async function measured(
  guard: Guard,
  items: readonly EvalItem[],
  regime: Regime,
  certainty: number,
): Promise<Row> {
  const begun = performance.now();
  const verdicts = await judged(guard, items, regime, certainty);
  const milliseconds = (performance.now() - begun) / items.length;
  // A broken answer counts as the opposite of the label, as in tiny:eval.
  const pairs = verdicts.map(({ label }, i) => {
    const unsafe = items[i].label === 'unsafe';
    return { unsafe, saidUnsafe: label === 'invalid' ? !unsafe : label === 'unsafe' };
  });
  const share = (count: number): number => count / items.length;
  const errors = verdicts.flatMap(({ probability }, i) =>
    probability === null ? [] : [(probability - Number(items[i].label === 'unsafe')) ** 2],
  );
  return {
    regime,
    f1: binaryF1(pairs),
    accuracy: share(pairs.filter(({ unsafe, saidUnsafe }) => unsafe === saidUnsafe).length),
    invalid: share(verdicts.filter(({ label }) => label === 'invalid').length),
    brier: errors.length === 0 ? null : errors.reduce((sum, error) => sum + error, 0) / errors.length,
    reasoned: share(verdicts.filter((verdict) => verdict.regime === 'reason').length),
    milliseconds,
  };
}
