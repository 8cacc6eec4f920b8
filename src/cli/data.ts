import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ExportFormat } from '../iconworld/export.js';
import type { Split } from '../iconworld/splits.js';
import type { PolicyChoice } from '../iconworld/twins.js';
import type { Style } from '../iconworld/types.js';
import { registerLlavaguard } from './data-llavaguard.js';
import { registerRecaption } from './data-recaption.js';

interface IconworldArguments {
  readonly format: ExportFormat;
  readonly scenes: number;
  readonly seed: number;
  readonly split: Split;
  readonly policies: PolicyChoice;
  readonly style: Style;
  readonly sheet: boolean;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** `safeguard data …`: IconWorld as files (here), recaptions, LlavaGuard. */
export function registerData(program: Command): void {
  const data = program.command('data').description('make data sets');
  data
    .command('iconworld')
    .description("scenes of icons with their edited twins under policies, in SafeEditBench's columns")
    .argument('<out>', 'the folder to write; a stopped run goes on where it was')
    .addOption(
      new Option('--format <name>', 'what to write')
        .choices(['folder', 'jsonl', 'parquet'])
        .default('folder'),
    )
    .option('--scenes <n>', 'scenes, each with its twin', wholeNumber, 100)
    .option('--seed <n>', 'other seeds give other scenes', wholeNumber, 0)
    .addOption(
      new Option('--split <name>', 'scenes and phrasings')
        .choices(['train', 'validation', 'test', 'newWords'])
        .default('test'),
    )
    .addOption(
      new Option('--policies <name>', 'the five levels, a free policy a scene, or both')
        .choices(['levels', 'free', 'both'])
        .default('levels'),
    )
    .addOption(new Option('--style <name>', 'the icon set').choices(['fluent', 'noto']).default('fluent'))
    .option('--no-sheet', 'draw no contact-sheet.png')
    .action(async (out: string, options: IconworldArguments) => {
      const [{ exportIconworld }, { ProgressLine }] = await Promise.all([
        import('../iconworld/export.js'),
        import('../util/progress.js'),
      ]);
      const line = new ProgressLine();
      const summary = await exportIconworld({ out, ...options }, (done, total) =>
        line.update(`${done} of ${total} scenes`),
      );
      const share = ((100 * summary.unsafe) / summary.rows).toFixed(0);
      line.finish(`${summary.images} pictures, ${summary.rows} rows (${share} % unsafe)`);
      for (const file of summary.files) process.stdout.write(`${file}\n`);
    });
  registerRecaption(data);
  registerLlavaguard(data);
}
