import type { Command } from 'commander';
import type { AskOptions, ImageSource, LoadOptions, Reply, ServedModel } from '../guard/guard.js';
import { UserError } from '../util/errors.js';
import { downloadView } from './download-view.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import {
  checkNetworks,
  loadArguments,
  type ModelArguments,
  modelOptions,
  wholeNumber,
} from './model-options.js';
import { LineWriter, processTerminal, type Terminal } from './output.js';
import { safeJson } from './printable.js';

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
  readStdin(): Promise<Uint8Array>;
  readonly terminal: Pick<Terminal, 'out'> & { write(text: string): void };
}

const DEFAULT_PARTS: AskParts = {
  loadGuard: async (model, options) =>
    (await import('../guard/guard.js')).Guard.load(model, { ...options, onProgress: downloadView() }),
  readStdin: async () => (await import('./image-arguments.js')).readStdin(),
  terminal: { out: (text) => processTerminal.out(text), write: (text) => void process.stdout.write(text) },
};

/** In front of each of the model's lines, so that none can pass for a verdict. */
const INDENT = '  ';

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
  checkNetworks(images);
  const stdin = images.includes('-') ? await parts.readStdin() : null;
  const sources = images.map((image) => (image === '-' && stdin !== null ? stdin : image));
  const guard = await parts.loadGuard(model, load);
  const lines = new LineWriter((text) => parts.terminal.write(text), INDENT);
  const reply = await guard.ask(sources, question, {
    ...(maxNewTokens !== undefined && { maxNewTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(seed !== undefined && { seed }),
    ...(!json && { onText: (text: string) => lines.write(text) }),
  });
  lines.end();
  if (json) parts.terminal.out(safeJson({ images, question, ...reply }));
  return EXIT.ok;
}
