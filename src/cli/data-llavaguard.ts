/** @module `safeguard data llavaguard`: LlavaGuard's table of URLs in, data for train grpo and train sft out. */
import { type Command, InvalidArgumentError } from 'commander';
import type { LlavaguardReport } from '../curation/llavaguard.js';
import { wholeNumber } from './model-options.js';
import { stoppable } from './train.js';

interface LlavaguardArguments {
  readonly profile: string;
  readonly concurrency: number;
  readonly timeout: number;
  readonly maxFailures: number;
  readonly retryDead?: boolean;
  readonly allowPrivate?: boolean | readonly string[];
}

/** Hosts are asked gently: pictures come from few of them. */
const CONCURRENCY = 8;
const TIMEOUT_SECONDS = 20;
/** Where half of all links are dead, fifty in a row are a matter of one in 10¹⁵. */
const MAX_FAILURES = 50;

export function registerLlavaguard(data: Command): void {
  data
    .command('llavaguard')
    .description(
      "LlavaGuard's table (CSV, JSON, JSONL or parquet with URLs) as data for train grpo and train sft",
    )
    .argument('<table>', 'the table, as AIML-TUDA/LlavaGuard gives it')
    .argument('<out>', 'the folder to write; a stopped run goes on where it was')
    .option('--profile <name>', 'whose prompts and answers are written', 'paper')
    .option('--concurrency <n>', 'pictures fetched at once', wholeNumber, CONCURRENCY)
    .option('--timeout <seconds>', 'for one picture', seconds, TIMEOUT_SECONDS)
    .option('--max-failures <n>', 'stop after so many dead links in a row', wholeNumber, MAX_FAILURES)
    .option('--retry-dead', 'ask links again that were dead before')
    .option(
      '--allow-private [network...]',
      'fetch from private addresses too: all, or those in networks like 10.20.0.0/16',
    )
    .action(async (table: string, out: string, options: LlavaguardArguments) => {
      const [{ llavaguard }, { progressView }] = await Promise.all([
        import('../curation/llavaguard.js'),
        import('../curation/work.js'),
      ]);
      const { profile, concurrency, timeout, maxFailures, retryDead = false, allowPrivate = false } = options;
      await stoppable(async (signal) => {
        const { report, finished } = await llavaguard(table, out, {
          profile,
          concurrency,
          maxFailuresInARow: maxFailures,
          retryDead,
          fetch: { allowPrivate, timeoutMs: timeout * 1000 },
          signal,
          onProgress: progressView('pictures'),
        });
        process.stderr.write(`${summaryLine(report)}\n`);
        return finished;
      });
    });
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

function summaryLine({ rows, written, links, refused, shared }: LlavaguardReport): string {
  const sum = written.safe + written.unsafe;
  return [
    `${sum} of ${rows} rows written (${written.safe} safe, ${written.unsafe} unsafe)`,
    `${links.fetched} of ${links.all} pictures`,
    `${links.dead} dead links`,
    ...(refused.length > 0 ? [`${refused.length} rows refused`] : []),
    ...(shared.length > 0 ? [`${shared.length} pictures that several links share: look at them`] : []),
    ...(links.left > 0 ? [`${links.left} links left: start again to go on`] : []),
  ].join('; ');
}
