import type { Command } from 'commander';
import type { AskOptions, ImageSource, LoadOptions, Reply, ServedModel } from '../guard/guard.js';
import { UserError } from '../util/errors.js';
import { downloadView } from './download-view.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { loadArguments, type ModelArguments, modelOptions, wholeNumber } from './model-options.js';
import { printable, processTerminal, type Terminal } from './output.js';

/** What the command line of `safeguard ask` gives. */
export interface AskArguments extends ModelArguments {
  readonly question?: string;
  readonly maxNewTokens?: number;
  readonly temperature?: number;
  readonly seed?: number;
  readonly json?: boolean;
}

/** The heavy parts, loaded when they are needed; tests give light ones. */
export interface AskParts {
  loadGuard(
    model: string | ServedModel | undefined,
    options: LoadOptions,
  ): Promise<{
    ask(images: readonly ImageSource[], question: string, options: AskOptions): Promise<Reply>;
  }>;
  loadImage(argument: string): Promise<ImageSource>;
  readonly terminal: Pick<Terminal, 'out'> & { write(text: string): void };
}

const DEFAULT_PARTS: AskParts = {
  loadGuard: async (model, options) =>
    (await import('../guard/guard.js')).Guard.load(model, { ...options, onProgress: downloadView() }),
  loadImage: async (argument) => (await import('./image-arguments.js')).loadImage(argument),
  terminal: { out: (text) => processTerminal.out(text), write: (text) => void process.stdout.write(text) },
};

/** `safeguard ask IMAGE… --question TEXT`: what the model says about images, without a policy. */
export function registerAsk(program: Command): void {
  modelOptions(
    program
      .command('ask')
      .description('ask the model a plain question about images')
      .argument('[images...]', 'image files, http(s) URLs, or - for standard input')
      .option('-q, --question <text>', 'the question'),
  )
    .option('--max-new-tokens <n>', 'the longest answer, in tokens', wholeNumber)
    .option('--temperature <t>', 'how freely words are chosen (default: 0, the likeliest)', Number)
    .option('--seed <n>', 'decides what is chosen freely', Number)
    .option('--json', 'one JSON object')
    .action(async (images: string[], options: AskArguments) => {
      process.exitCode = await ask(images, options);
    });
}

/** Asks and prints the answer as it is written. @throws UserError where nothing can be asked. */
export async function ask(
  images: readonly string[],
  options: AskArguments,
  parts: AskParts = DEFAULT_PARTS,
): Promise<ExitCode> {
  const { question, json, maxNewTokens, temperature, seed } = options;
  if (question === undefined || question.trim() === '') {
    throw new UserError('ask something: safeguard ask IMAGE… --question TEXT');
  }
  if (images.length === 0) throw new UserError('name an image file: safeguard ask IMAGE… --question TEXT');
  const [model, load] = loadArguments(options);
  const pixels: ImageSource[] = [];
  for (const image of images) pixels.push(await parts.loadImage(image));
  const guard = await parts.loadGuard(model, load);
  const reply = await guard.ask(pixels, question, {
    ...(maxNewTokens !== undefined && { maxNewTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(seed !== undefined && { seed }),
    ...(!json && { onText: (text: string) => parts.terminal.write(printable(text)) }),
  });
  parts.terminal.out(json ? JSON.stringify({ images, question, ...reply }) : '');
  return EXIT.ok;
}
