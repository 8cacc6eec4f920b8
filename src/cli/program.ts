import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { UserError } from '../util/errors.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { registerAsk } from './ask.js';
import { registerData } from './data.js';
import { registerJudge } from './judge.js';
import { registerModels } from './models.js';
import { registerPush } from './push.js';
import { registerRewards } from './rewards.js';
import { registerTrain } from './train.js';
import { withNetworks } from './model-options.js';
import { oneLine, printable } from './printable.js';

/** Adds one command. It imports what is heavy in its action only, so that `--help` stays fast. */
type Register = (program: Command) => void;

/** Every command, in the order of the help: add yours here. */
const COMMANDS: readonly Register[] = [
  registerJudge,
  registerAsk,
  registerModels,
  registerTrain,
  registerRewards,
  registerData,
  registerPush,
];

const HELP = `
Exit codes: 0 done (judge: all safe), 1 any unsafe, 2 a mistake in the command or its inputs, 3 any invalid,
70 a mistake of ours (please report it), 130 interrupted, 143 terminated.`;

/** The `safeguard` command line. It throws where commander would exit. */
export function createProgram(commands: readonly Register[] = COMMANDS): Command {
  const program = new Command('safeguard')
    .description('Policy-adaptive image guardrails: an image and a policy in, a reasoned verdict out.')
    .version(packageVersion(), '-V, --version')
    .addHelpText('after', HELP)
    .showSuggestionAfterError()
    .configureOutput({ outputError: writeMistake })
    .exitOverride();
  for (const register of commands) register(program);
  return program;
}

/** Runs a command line (without node and script). The exit code of what failed, or undefined where the command set its own. */
export async function run(
  argv: readonly string[],
  { program = createProgram(), err = (text) => void process.stderr.write(`${text}\n`) }: RunOptions = {},
): Promise<ExitCode | undefined> {
  try {
    await program.parseAsync(withNetworks(argv), { from: 'user' });
    return undefined;
  } catch (error) {
    // Commander has printed its message already; help and version end well.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.userError;
    return reportFailure(error, err);
  }
}

/** Tells what was thrown: a mistake of the user as one line, ours with its stack. The exit code of it. */
export function reportFailure(error: unknown, err: (text: string) => void): ExitCode {
  if (error instanceof UserError) {
    err(`error: ${oneLine(error.message)}`);
    return EXIT.userError;
  }
  err(printable(error instanceof Error ? (error.stack ?? error.message) : String(error)));
  err('This is a mistake in safeguard-vl, not yours; please report it with the lines above.');
  return EXIT.bug;
}

/** Commander's messages repeat what was typed. Its hint stands in a line of its own. */
function writeMistake(text: string, write: (text: string) => void): void {
  const [, message, hint = ''] = /^([^]*?)(\n\(Did you mean [^\n]*\))?\n?$/u.exec(text) ?? [];
  write(`${oneLine(message)}${printable(hint)}\n`);
}

interface RunOptions {
  readonly program?: Command;
  readonly err?: (text: string) => void;
}

function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const version =
    typeof manifest === 'object' && manifest && 'version' in manifest ? manifest.version : undefined;
  return typeof version === 'string' ? version : 'unknown';
}
