/** @module The options that say which model answers, and how it is opened; `judge` and `ask` share them. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { GuardOptions, LoadOptions, ServedModel } from '../guard/guard.js';
import { UserError } from '../util/errors.js';

const ENGINES = ['local', 'openai'] as const;
const STRUCTURED = ['none', 'vllm', 'vllm-guided', 'sglang', 'llama-server'] as const;
const PREFIXES = ['none', 'vllm', 'trailing'] as const;

/** What the command line gives. */
export interface ModelArguments {
  readonly model?: string;
  readonly adapter?: string;
  readonly profile?: string;
  readonly engine?: (typeof ENGINES)[number];
  readonly baseUrl?: string;
  readonly apiKeyEnv?: string;
  readonly structured?: (typeof STRUCTURED)[number];
  readonly prefix?: (typeof PREFIXES)[number];
  readonly maxPixels?: number;
  readonly allowPrivate?: boolean;
  readonly allowPrivateNetwork?: readonly string[];
  readonly concurrency?: number;
}

const ALLOW_PRIVATE = '--allow-private';
/** What `--allow-private=NETWORK` becomes: an option with a value that may be left out would swallow the next argument. */
const NETWORK_OPTION = '--allow-private-network';

/** The arguments with each `--allow-private=NETWORK` in the form that commander reads. */
export const withNetworks = (argv: readonly string[]): string[] =>
  argv.map((argument) =>
    argument.startsWith(`${ALLOW_PRIVATE}=`)
      ? `${NETWORK_OPTION}${argument.slice(ALLOW_PRIVATE.length)}`
      : argument,
  );

const collectNetworks = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** Adds the options to a command. */
export function modelOptions(command: Command): Command {
  return command
    .option(
      '-m, --model <name>',
      "a Qwen2.5-VL checkpoint folder, a model of the Hugging Face hub, or the server's name of its model (default: the embedded safeguard-vl-tiny)",
    )
    .option('--adapter <name>', 'a PEFT adapter to merge into the weights: a folder or a name on the hub')
    .option(
      '--profile <name>',
      "how the model is asked and read: a profile's name or a file of your own (default: the folder's guard.json, else its family)",
    )
    .addOption(
      new Option('--engine <name>', 'who computes: this process, or a server with OpenAI’s API')
        .choices(ENGINES)
        .default('local'),
    )
    .option('--base-url <url>', "the server's address up to and with /v1, for --engine openai")
    .option('--api-key-env <name>', 'the environment variable with its key (default: OPENAI_API_KEY)')
    .addOption(
      new Option('--structured <how>', 'how the server takes a grammar, for --constrained').choices(
        STRUCTURED,
      ),
    )
    .addOption(
      new Option('--prefix <how>', 'how the server goes on with a begun answer, for --regime fast').choices(
        PREFIXES,
      ),
    )
    .option(
      '--max-pixels <n>',
      'show the model at most so many pixels of an image (default: what keeps a verdict within a minute here)',
      wholeNumber,
    )
    .option('--concurrency <n>', 'requests to the server at once (default: 8)', wholeNumber)
    .option(
      '--allow-private',
      'fetch images from private addresses too; --allow-private=10.20.0.0/16 from those in that network alone',
    )
    .addOption(new Option(NETWORK_OPTION + ' <network>').argParser(collectNetworks).hideHelp());
}

/** What `Guard.load` takes. @throws UserError for options that do not go together. */
export function loadArguments(
  options: ModelArguments,
): [model: string | ServedModel | undefined, options: LoadOptions] {
  const { model, engine = 'local', baseUrl, apiKeyEnv, structured, prefix, concurrency } = options;
  const load: LoadOptions = {
    ...guardOptions(options),
    adapter: options.adapter,
    profile: options.profile,
  };
  if (engine === 'local') {
    const only = [
      ['--base-url', baseUrl],
      ['--api-key-env', apiKeyEnv],
      ['--structured', structured],
      ['--prefix', prefix],
      ['--concurrency', concurrency],
    ].find(([, value]) => value !== undefined);
    if (only) throw new UserError(`${only[0]} is for a server; add --engine openai, or leave it out`);
    return [model, load];
  }
  if (baseUrl === undefined) {
    throw new UserError(
      '--engine openai needs the address of its server: --base-url http://localhost:8000/v1',
    );
  }
  if (model === undefined) {
    throw new UserError('--engine openai needs --model NAME, as the server calls its model');
  }
  return [
    {
      engine: 'openai',
      baseURL: baseUrl,
      model,
      ...(apiKeyEnv !== undefined && { apiKeyVariable: apiKeyEnv }),
      ...(structured !== undefined && { structured }),
      ...(prefix !== undefined && { prefix }),
      ...(concurrency !== undefined && { concurrency }),
    },
    load,
  ];
}

function guardOptions({
  maxPixels,
  allowPrivate = false,
  allowPrivateNetwork,
}: ModelArguments): GuardOptions {
  const allowed = allowPrivate || (allowPrivateNetwork ?? false);
  return { ...(maxPixels !== undefined && { maxPixels }), fetch: { allowPrivate: allowed } };
}

/** A network among the images: it was meant for {@link ALLOW_PRIVATE}, which otherwise would allow every address. */
export function checkNetworks(images: readonly string[]): void {
  const network = images.find((name) => /^[\d.a-f:]{2,45}\/\d{1,3}$/iu.test(name));
  if (network === undefined) return;
  throw new UserError(`${network} is a network and no image; write ${ALLOW_PRIVATE}=${network}`, {
    code: 'invalid_option',
  });
}

/** A whole number from 1, as commander wants its mistakes told. */
export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/u.test(text)) throw new InvalidArgumentError('It must be a whole number from 1.');
  return Number(text);
}
