/** @module `safeguard data recaption`: pictures and models in, a data set for stage 1 out. */
import { type Command, Option } from 'commander';
import type { RecaptionOverrides } from '../curation/recaption-config.js';
import type { RecaptionSummary } from '../curation/recaption.js';
import { downloadView } from './download-view.js';
import { wholeNumber } from './model-options.js';
import { stoppable } from './train.js';

interface RecaptionArguments {
  readonly config?: string;
  readonly world?: 'photos' | 'iconworld';
  readonly model?: string;
  readonly adapter?: string;
  readonly engine?: 'local' | 'openai';
  readonly baseUrl?: string;
  readonly apiKeyEnv?: string;
  readonly concurrency?: number;
  readonly limit?: number;
}

export function registerRecaption(data: Command): void {
  data
    .command('recaption')
    .description(
      "the model's own captions, sensitive things made explicit, filtered by a judge: data for train sft",
    )
    .argument('<images>', 'a folder of pictures, or a JSONL file that names them')
    .argument('<out>', 'the folder to write; a stopped run goes on where it was')
    .option('--config <file>', 'captioner, rewriter, judge and prompts as YAML: see docs/curation.md')
    .addOption(
      new Option('--world <name>', 'prompts, rewriter and judge where the file names none').choices([
        'photos',
        'iconworld',
      ]),
    )
    .option('-m, --model <name>', 'who captions (default: the embedded safeguard-vl-tiny)')
    .option('--adapter <name>', 'a PEFT adapter for it')
    .addOption(new Option('--engine <name>', 'where it computes').choices(['local', 'openai']))
    .option('--base-url <url>', "its server's address up to and with /v1, for --engine openai")
    .option('--api-key-env <name>', 'the environment variable with its key')
    .option('--concurrency <n>', 'pictures at work at once', wholeNumber)
    .option('--limit <n>', 'work on the first so many pictures only; what is done stays', wholeNumber)
    .action(async (images: string, out: string, options: RecaptionArguments) => {
      const [{ loadRecaptionConfig }, { recaption }, { progressView }] = await Promise.all([
        import('../curation/recaption-config.js'),
        import('../curation/recaption.js'),
        import('../curation/work.js'),
      ]);
      const config = loadRecaptionConfig(options.config, overrides(options));
      await stoppable(async (signal) => {
        const summary = await recaption(images, out, config, {
          signal,
          onProgress: progressView('pictures'),
          onDownload: downloadView(),
        });
        process.stderr.write(`${summaryLine(summary)}\n`);
        return summary.finished;
      });
    });
}

/** Only what was given, so that it replaces nothing else in the file. */
function overrides({ world, limit, concurrency, ...options }: RecaptionArguments): RecaptionOverrides {
  const { model, adapter, engine, baseUrl: base_url, apiKeyEnv: api_key_env } = options;
  const given = <Settings extends object>(settings: Settings): Partial<Settings> =>
    Object.fromEntries(
      Object.entries(settings).filter(([, value]) => value !== undefined),
    ) as Partial<Settings>;
  return {
    ...given({ world, limit, concurrency }),
    captioner: given({ model, adapter, engine, base_url, api_key_env }),
  };
}

function summaryLine({ pictures, kept, rejected, failed, left, gone }: RecaptionSummary): string {
  const lost = Object.entries(rejected).filter(([, count]) => count > 0);
  const where = lost.map(([step, count]) => `${count} at the ${step}`).join(', ');
  const total = lost.reduce((sum, [, count]) => sum + count, 0);
  return [
    `${kept} of ${pictures} pictures have a recaption`,
    `${total} rejected${where === '' ? '' : ` (${where})`}`,
    ...(failed > 0 ? [`${failed} failed and are tried again at the next start`] : []),
    ...(left > 0 ? [`${left} left: start again to go on`] : []),
    ...(gone > 0 ? [`${gone} done before that the input no longer has, left out of the data`] : []),
  ].join('; ');
}
