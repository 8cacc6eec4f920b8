import { type Command, Option } from 'commander';
import type { ImageSource, JudgeOptions, LoadOptions, ServedModel } from '../guard/guard.js';
import { type Regime, REGIMES } from '../guard/regimes.js';
import type { Verdict } from '../guard/verdict.js';
import type { Policy } from '../policy/policy.js';
import { UserError } from '../util/errors.js';
import { downloadView } from './download-view.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { loadArguments, type ModelArguments, modelOptions, wholeNumber } from './model-options.js';
import {
  compactVerdict,
  footer,
  fullVerdict,
  OVERSIGHT,
  printable,
  processTerminal,
  type Terminal,
  verdictTable,
} from './output.js';

/** What the command line of `safeguard judge` gives. */
export interface JudgeArguments extends ModelArguments {
  readonly policy?: readonly string[];
  readonly regime?: Regime;
  readonly certainty?: number;
  readonly constrained?: boolean;
  readonly together?: boolean;
  readonly stream?: boolean;
  readonly json?: boolean;
  readonly exitZero?: boolean;
  readonly maxNewTokens?: number;
}

/** The part of a `Guard` that the command uses. */
interface Judge {
  judge(
    image: ImageSource | readonly ImageSource[],
    policy: Policy,
    options?: JudgeOptions,
  ): Promise<Verdict>;
  /** What to tell whoever wrote the policy before it is judged by; null where there is nothing. */
  unknownWordsNote?(policy: Policy): string | null;
}

/** The heavy parts, loaded when they are needed; tests give light ones. */
export interface JudgeParts {
  loadGuard(model: string | ServedModel | undefined, options: LoadOptions): Promise<Judge>;
  loadPolicy(path: string): Promise<Policy>;
  loadImage(argument: string): Promise<ImageSource>;
  readonly terminal: Terminal;
}

const DEFAULT_PARTS: JudgeParts = {
  loadGuard: async (model, options) => {
    const { Guard } = await import('../guard/guard.js');
    return await Guard.load(model, { ...options, onProgress: downloadView() });
  },
  loadPolicy: async (path) => (await import('../policy/policy.js')).Policy.load(path),
  loadImage: async (argument) => (await import('./image-arguments.js')).loadImage(argument),
  terminal: processTerminal,
};

/** What to do where a model says that it does not know such pictures. */
const OTHER_MODEL =
  'This model knows IconWorld scenes only. For photographs and other pictures give the folder of a Qwen2.5-VL guardrail: ' +
  '--model FOLDER, such as SafeGuard-VL-RL with complete weights, or Qwen2.5-VL-7B-Instruct, from the Hugging Face hub.';

const HELP = `
Exit codes: 0 all safe, 1 any unsafe, 2 error, 3 any invalid; of several the worst counts: 2, then 3, then 1.
With --exit-zero every verdict ends with 0; errors still end with 2.`;

/** `safeguard judge IMAGE… --policy FILE…`: every image under every policy. */
export function registerJudge(program: Command): void {
  modelOptions(
    program
      .command('judge')
      .description('judge images under policies written in plain language')
      .argument('[images...]', 'image files, http(s) URLs, or - for standard input')
      .option('-p, --policy <file...>', 'policies: Markdown or text files'),
  )
    .addOption(
      new Option(
        '--regime <name>',
        'reason first, answer at once (fast), or fast and reason where unsure (hybrid)',
      )
        .choices(REGIMES)
        .default('reason'),
    )
    .option('--certainty <p>', 'from this probability on, hybrid does not reason (default: 0.9)', Number)
    .option('--constrained', "hold answers to the profile's format")
    .option('--together', 'judge all images as one item')
    .option('--stream', 'show the reasoning as it is written')
    .option('--json', 'one JSON object a line')
    .option('--exit-zero', 'end with 0 whatever the verdicts are')
    .option('--max-new-tokens <n>', 'the longest answer, in tokens', wholeNumber)
    .addHelpText('after', HELP)
    .action(async (images: string[], options: JudgeArguments) => {
      process.exitCode = await judge(images, options);
    });
}

/** Judges every image under every policy and prints what comes out. @throws UserError where nothing can be judged. */
export async function judge(
  images: readonly string[],
  options: JudgeArguments,
  parts: JudgeParts = DEFAULT_PARTS,
): Promise<ExitCode> {
  const { terminal } = parts;
  const files = options.policy ?? [];
  if (files.length === 0) throw new UserError('name a policy file: safeguard judge IMAGE… --policy FILE…');
  if (images.length === 0) {
    throw new UserError('name an image file, before --policy: safeguard judge IMAGE… --policy FILE…');
  }
  const policies = await Promise.all(
    files.map(async (file) => ({ file, policy: await parts.loadPolicy(file) })),
  );
  const items = options.together
    ? [{ name: images.join(' + '), images }]
    : images.map((image) => ({ name: image, images: [image] }));
  const [model, load] = loadArguments(options);
  const guard = await parts.loadGuard(model, load);
  for (const { policy } of policies) {
    const note = guard.unknownWordsNote?.(policy) ?? null;
    if (note !== null) terminal.err(`note: ${printable(note)}`);
  }
  const several = items.length * policies.length > 1;
  const settings = judgeOptions(options, terminal);
  const done: { readonly image: string; readonly file: string; readonly verdict: Verdict }[] = [];
  let failures = 0;

  const fail = (image: string, file: string, { message }: UserError): void => {
    failures += 1;
    if (options.json) terminal.out(JSON.stringify({ image, policyFile: file, error: message }));
  };

  for (const { name, images: arguments_ } of items) {
    const pixels = await attempt(() => loadAll(arguments_, parts));
    if ('error' in pixels) {
      terminal.err(`error: ${printable(pixels.error.message)}`);
      for (const { file } of policies) fail(name, file, pixels.error);
      continue;
    }
    for (const { file, policy } of policies) {
      const result = await attempt(() => guard.judge(pixels.value, policy, settings));
      if ('error' in result) {
        terminal.err(`error: ${printable(`${name} under ${file}: ${result.error.message}`)}`);
        fail(name, file, result.error);
        continue;
      }
      const { value } = result;
      if (value.maxPixels !== null && options.maxPixels === undefined && !done.some(isCut)) {
        terminal.err(cutNote(value.maxPixels));
      }
      if (options.stream && !options.json) terminal.part('\n\n');
      done.push({ image: name, file, verdict: value });
      if (options.json) terminal.out(JSON.stringify({ image: name, policyFile: file, ...value }));
      else terminal.out((several ? compactVerdict : fullVerdict)(name, value, terminal));
    }
  }

  const verdicts = done.map(({ verdict }) => verdict);
  if (!options.json) {
    if (items.length > 1 && policies.length > 1) terminal.out(verdictTable(done, terminal));
    if (several) terminal.out(footer(verdicts, failures, terminal));
    if (verdicts.length > 0) terminal.out(terminal.paint('dim', OVERSIGHT));
  }
  if (verdicts.some(({ problem }) => problem?.kind === 'unknownPicture')) terminal.err(OTHER_MODEL);
  return exitCodeOf(verdicts, { failures, exitZero: options.exitZero ?? false });
}

const isCut = ({ verdict }: { readonly verdict: Verdict }): boolean => verdict.maxPixels !== null;

/** Said once, where the user did not choose the limit. */
function cutNote(maxPixels: number): string {
  return `note: images are shown to the model at ${maxPixels} pixels at most, so that a verdict takes about a minute here; --max-pixels sets another limit`;
}

function judgeOptions(options: JudgeArguments, terminal: Terminal): JudgeOptions {
  const { regime, certainty, constrained, maxNewTokens, stream, json } = options;
  return {
    ...(regime !== undefined && { regime }),
    ...(certainty !== undefined && { certainty }),
    ...(constrained !== undefined && { constrained }),
    ...(maxNewTokens !== undefined && { maxNewTokens }),
    // Standard error, so that what is piped on is verdicts alone.
    ...(stream && !json && { onText: (text: string) => terminal.part(printable(text)) }),
  };
}

async function loadAll(names: readonly string[], parts: JudgeParts): Promise<readonly ImageSource[]> {
  const images: ImageSource[] = [];
  for (const name of names) images.push(await parts.loadImage(name));
  return images;
}

/** The worst of several: 2 before 3 before 1. */
function exitCodeOf(
  verdicts: readonly Verdict[],
  { failures, exitZero }: { readonly failures: number; readonly exitZero: boolean },
): ExitCode {
  if (failures > 0) return EXIT.userError;
  if (exitZero) return EXIT.ok;
  if (verdicts.some(({ label }) => label === 'invalid')) return EXIT.invalid;
  if (verdicts.some(({ label }) => label === 'unsafe')) return EXIT.unsafe;
  return EXIT.ok;
}

/** A mistake in one item does not end the run; ours does. */
async function attempt<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T } | { readonly error: UserError }> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof UserError) return { error };
    throw error;
  }
}
