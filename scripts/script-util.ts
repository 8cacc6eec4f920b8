/** What the evaluation scripts share: options with one clear sentence for each mistake, and the exit code. */
import { messageOf, UserError } from '../src/util/errors.js';

/** Runs a script; a user's mistake is one sentence and exit code 2. */
export async function runScript(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof UserError) && !isOptionError(error)) throw error;
    console.error(`error: ${messageOf(error)}`);
    process.exitCode = 2;
  }
}

/** `parseArgs` throws TypeErrors with such codes. */
const isOptionError = (error: unknown): boolean =>
  error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');

/** A whole number of `least` … `most` from an option's text. */
export function wholeNumber(option: string, text: string, least: number, most = 1_000_000): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw new UserError(`${option} is '${text}': give a whole number from ${least} to ${most}.`);
  }
  return value;
}

/** One of the choices, as an option's text names it. */
export function chooseFrom<T extends string>(option: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((one) => one === text);
  if (choice === undefined)
    throw new UserError(`${option} is '${text}': choose among ${choices.join(', ')}.`);
  return choice;
}
