/**
 * Holds what an engine rewarded against the rewards of this repository: `tsx scripts/exports-check.ts CONFIG CHECK`,
 * where CHECK is what `scripts/exports-check/check_trl.py` wrote. Ends with 1 where any value differs.
 */
import { z } from 'zod';
import { readJsonObject } from '../src/checkpoint/json.js';
import { loadGrpoConfig } from '../src/training/grpo/config.js';
import { profileOf, rewardsOf } from '../src/training/grpo/rewards.js';
import { rewardResponse, sentSample } from '../src/training/rewards/wire.js';
import { UserError } from '../src/util/errors.js';
import { runScript } from './script-util.js';

const checkFile = z.object({
  /** The engine's own metrics, a record a step. */
  logs: z.array(z.record(z.string(), z.unknown())),
  batches: z.array(
    z.object({
      completions: z.array(z.string()),
      samples: z.array(z.string()),
      tokens: z.array(z.int()),
      answer: rewardResponse,
    }),
  ),
});

/** TRL keeps rewards in 32 bits. */
const TOLERANCE = 1e-6;

const meanOf = (values: readonly (number | null)[]): number | null => {
  const applied = values.filter((value) => value !== null);
  return applied.length === 0 ? null : applied.reduce((sum, value) => sum + value, 0) / applied.length;
};

const isClose = (a: unknown, b: number | null): boolean =>
  typeof a === 'number' && b !== null ? Math.abs(a - b) <= TOLERANCE : a === b;

await runScript(async () => {
  const [configPath, checkPath] = process.argv.slice(2);
  if (checkPath === undefined) throw new UserError('Give a configuration and the check.json of its export.');
  const config = loadGrpoConfig(configPath);
  const table = rewardsOf(config, await profileOf(config));
  const { logs, batches } = checkFile.parse(readJsonObject(checkPath));
  // The last line of a run sums it up.
  const steps = logs.filter((line) => 'reward' in line);
  if (steps.length !== batches.length || steps.length === 0)
    throw new UserError(`${checkPath} has ${steps.length} steps and ${batches.length} batches of rewards.`);
  const rewarded = batches.flatMap(({ answer }) => Object.keys(answer.rewards));
  const asked = Object.keys(config.rewards);
  const unlike =
    rewarded.find((name) => !asked.includes(name)) ?? asked.find((name) => !rewarded.includes(name));
  if (unlike !== undefined)
    throw new UserError(
      `${configPath} and ${checkPath} differ in the reward '${unlike}': give the configuration that was exported.`,
    );
  let compared = 0;
  const wrong: string[] = [];
  const hold = (what: string, theirs: unknown, ours: number | null): void => {
    compared++;
    if (!isClose(theirs, ours)) wrong.push(`${what}: ${String(theirs)} there, ${String(ours)} here`);
  };
  for (const [i, { completions, samples, tokens, answer }] of batches.entries()) {
    const { byFunction, totals } = await table.score(
      completions.map((completion, k) => {
        const { prompt, ...sample } = sentSample.parse(JSON.parse(samples[k]));
        const truncated = tokens[k] >= config.max_completion_length;
        return { prompt, completion, tokens: tokens[k], truncated, sample };
      }),
    );
    for (const [name, values] of Object.entries(byFunction)) {
      values.forEach((value, k) => {
        hold(`batch ${i + 1}, completion ${k + 1}, ${name}`, answer.rewards[name][k], value);
      });
      hold(`step ${i + 1}, mean of ${name}`, steps[i][`rewards/${name}/mean`], meanOf(values));
    }
    hold(`step ${i + 1}, mean of the sums`, steps[i].reward, meanOf(totals));
  }
  for (const line of wrong) console.log(line);
  console.log(`${compared - wrong.length} of ${compared} rewards and means equal, in ${steps.length} steps`);
  if (wrong.length > 0) process.exitCode = 1;
});
