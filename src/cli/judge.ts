import { type Command, InvalidArgumentError } from 'commander';
import type { ImageSource, JudgeOptions } from '../guard/guard.js';
import type { Verdict } from '../guard/verdict.js';
import type { RgbImage } from '../images/image.js';
import type { Policy } from '../policy/policy.js';
import { UserError } from '../util/errors.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import {
  compactVerdict,
  footer,
  fullVerdict,
  OVERSIGHT,
  printable,
  processTerminal,
  type Terminal,
} from './output.js';

/** What the command line of `safeguard judge` gives. */
export interface JudgeArguments {
  readonly policy?: readonly string[];
  readonly model?: string;
  readonly profile?: string;
  readonly json?: boolean;
  readonly exitZero?: boolean;
  readonly maxNewTokens?: number;
}

/** The part of a `Guard` that the command uses. */
interface Judge {
  judge(image: ImageSource, policy: Policy, options?: JudgeOptions): Promise<Verdict>;
}

/** The heavy parts, loaded when they are needed; tests give light ones. */
export interface JudgeParts {
  loadGuard(model: string | undefined, profile: string | undefined): Promise<Judge>;
  loadPolicy(path: string): Promise<Policy>;
  loadImage(path: string): Promise<RgbImage>;
  readonly terminal: Terminal;
}

const DEFAULT_PARTS: JudgeParts = {
  loadGuard: async (model, profile) => {
    const { Guard } = await import('../guard/guard.js');
    return await Guard.load(model, profile === undefined ? {} : { profile });
  },
  loadPolicy: async (path) => (await import('../policy/policy.js')).Policy.load(path),
  loadImage: async (path) => (await import('../images/decode.js')).decodeImage(path),
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
  program
    .command('judge')
    .description('judge images under policies written in plain language')
    .argument('[images...]', 'image files')
    .option('-p, --policy <file...>', 'policies: Markdown or text files')
    .option(
      '-m, --model <folder>',
      'a Qwen2.5-VL checkpoint folder (default: the embedded safeguard-vl-tiny)',
    )
    .option(
      '--profile <name>',
      "how the model is asked and read (default: the folder's guard.json, else paper)",
    )
    .option('--json', 'one JSON object a line')
    .option('--exit-zero', 'end with 0 whatever the verdicts are')
    .option('--max-new-tokens <n>', 'the longest answer, in tokens', positiveInteger)
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
  const guard = await parts.loadGuard(options.model, options.profile);
  const several = images.length * policies.length > 1;
  const limit = options.maxNewTokens === undefined ? {} : { maxNewTokens: options.maxNewTokens };
  const verdicts: Verdict[] = [];
  let failures = 0;

  const fail = (image: string, file: string, { message }: UserError): void => {
    failures += 1;
    if (options.json) terminal.out(JSON.stringify({ image, policyFile: file, error: message }));
  };

  for (const image of images) {
    const pixels = await attempt(() => parts.loadImage(image));
    if ('error' in pixels) {
      terminal.err(`error: ${printable(pixels.error.message)}`);
      for (const { file } of policies) fail(image, file, pixels.error);
      continue;
    }
    for (const { file, policy } of policies) {
      const result = await attempt(() => guard.judge(pixels.value, policy, limit));
      if ('error' in result) {
        terminal.err(`error: ${printable(`${image} under ${file}: ${result.error.message}`)}`);
        fail(image, file, result.error);
        continue;
      }
      verdicts.push(result.value);
      if (options.json) terminal.out(JSON.stringify({ image, policyFile: file, ...result.value }));
      else terminal.out((several ? compactVerdict : fullVerdict)(image, result.value, terminal));
    }
  }

  if (!options.json) {
    if (several) terminal.out(footer(verdicts, failures, terminal));
    if (verdicts.length > 0) terminal.out(terminal.paint('dim', OVERSIGHT));
  }
  if (verdicts.some(({ problem }) => problem?.kind === 'unknownPicture')) terminal.err(OTHER_MODEL);
  return exitCodeOf(verdicts, { failures, exitZero: options.exitZero ?? false });
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

function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,8}$/u.test(text)) throw new InvalidArgumentError('It must be a whole number from 1.');
  return Number(text);
}
