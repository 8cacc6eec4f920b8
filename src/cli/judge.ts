/** @module `safeguard judge`: every image under every policy. */
import { type Command, Option } from 'commander';
import type {
  BatchOptions,
  ImageSource,
  Judged,
  Judgement,
  JudgeOptions,
  LoadOptions,
  ServedModel,
} from '../guard/guard.js';
import { PROFILES } from '../guard/profiles/index.js';
import { type Regime, REGIMES } from '../guard/regimes.js';
import type { Verdict } from '../guard/verdict.js';
import { Policy } from '../policy/policy.js';
import { UserError } from '../util/errors.js';
import { downloadView } from './download-view.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import type { ImageList, ImageListOptions } from './image-list.js';
import { JudgeProgress, summary, Tally } from './judge-view.js';
import {
  checkNetworks,
  loadArguments,
  type ModelArguments,
  modelOptions,
  wholeNumber,
} from './model-options.js';
import {
  compactVerdict,
  fullVerdict,
  LineWriter,
  OVERSIGHT,
  processTerminal,
  type Terminal,
} from './output.js';
import { oneLine, safeJson } from './printable.js';
import { ResultsFile, type Settings, type Task } from './results-file.js';

/** What the command line of `safeguard judge` gives. */
export interface JudgeArguments extends ModelArguments, ImageListOptions {
  readonly policy?: readonly string[];
  readonly policyText?: readonly string[];
  readonly regime?: Regime;
  readonly certainty?: number;
  readonly constrained?: boolean;
  readonly together?: boolean;
  readonly stream?: boolean;
  readonly json?: boolean;
  readonly exitZero?: boolean;
  readonly maxNewTokens?: number;
  readonly output?: string;
}

/** The part of a `Guard` that the command uses. */
interface Judge {
  readonly engine: { readonly identity: Verdict['model']; readonly concurrency?: number };
  readonly profile: { readonly name: string };
  judge(
    image: ImageSource | readonly ImageSource[],
    policy: Policy,
    options?: JudgeOptions,
  ): Promise<Verdict>;
  judgeAll(judgements: AsyncIterable<Judgement>, options?: BatchOptions): AsyncIterable<Judged>;
  /** What to tell whoever wrote the policy before it is judged by; null where there is nothing. */
  unknownWordsNote?(policy: Policy): string | null;
}

/** The heavy parts, loaded when they are needed; tests give light ones. */
export interface JudgeParts {
  loadGuard(model: string | ServedModel | undefined, options: LoadOptions): Promise<Judge>;
  loadPolicy(path: string): Promise<Policy>;
  findImages(names: readonly string[], options: ImageListOptions): Promise<ImageList>;
  readStdin(): Promise<Uint8Array>;
  readonly terminal: Terminal;
  /** The signals that end a run, and the exit code of each. */
  readonly signals: Pick<NodeJS.Process, 'on' | 'off'>;
}

const DEFAULT_PARTS: JudgeParts = {
  loadGuard: async (model, options) => {
    const { Guard } = await import('../guard/guard.js');
    return await Guard.load(model, { ...options, onProgress: downloadView() });
  },
  loadPolicy: (path) => Policy.load(path),
  findImages: async (names, options) =>
    (await import('./image-list.js')).imageList(names, options, () => DEFAULT_PARTS.readStdin()),
  readStdin: async () => (await import('./image-arguments.js')).readStdin(),
  terminal: processTerminal,
  signals: process,
};

/** What to do where a model says that it does not know such pictures. */
const OTHER_MODEL =
  'This model knows IconWorld scenes only. For photographs and other pictures give the folder of a Qwen2.5-VL guardrail: ' +
  '--model FOLDER, such as SafeGuard-VL-RL with complete weights, or Qwen2.5-VL-7B-Instruct, from the Hugging Face hub.';

/** Judgements of a model in this process that are made together; whole batches are made again after an end. */
const BATCH_SIZE = 8;
/** So many judgements in a row that a server did not answer: it is gone, and the others need not wait for it too. */
const GONE_AFTER = 8;
/** Failures that pass: they are no rows of `--output`, so that the next run judges them. */
const PASSING: ReadonlySet<string> = new Set(['unreachable', 'busy']);

const HELP = `
Images are files, folders (with all that is in them), globs in quotes, http(s) URLs, or - for standard input.

Examples:
  safeguard judge photo.jpg --policy rules.md
  safeguard judge photo.jpg --policy-text "No weapons." --policy-text "No alcohol."
  safeguard judge uploads/ --exclude "thumb-*" --policy rules.md shop.md --output verdicts.csv
  find . -name "*.png" | safeguard judge --from - --policy rules.md --json
  safeguard judge uploads/ --policy rules.md --engine openai --base-url http://localhost:8000/v1 --model NAME --concurrency 16

The same command with the same --output goes on where it was interrupted.

Profiles: ${PROFILES.map(({ name }) => name).join(', ')}, or a file of your own.

Exit codes: 0 all safe, 1 any unsafe, 2 error, 3 any invalid; of several the worst counts: 2, then 3, then 1.
With --exit-zero every verdict ends with 0; errors still end with 2. 130 interrupted, 143 terminated.`;

const collected = (value: string, before: readonly string[] = []): string[] => [...before, value];

export function registerJudge(program: Command): void {
  modelOptions(
    program
      .command('judge')
      .description('judge images under policies written in plain language')
      .argument('[images...]', 'image files, folders, globs, http(s) URLs, or - for standard input')
      .option('-p, --policy <file...>', 'policies: Markdown or text files, or - for standard input')
      .option('--policy-text <text>', 'a policy in its own words; may be given several times', collected)
      .option('--from <list>', 'a file that names images, one a line; - for standard input')
      .option('--include <glob>', 'of folders only such files; may be given several times', collected)
      .option('--exclude <glob>', 'of folders no such files; may be given several times', collected)
      .option('--output <file>', 'write verdicts to a .jsonl or .csv file; goes on with one that is there'),
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
    .option('--stream', 'show the reasoning as it is written, one judgement after the other')
    .option('--json', 'one JSON object a line')
    .option('--exit-zero', 'end with 0 whatever the verdicts are')
    .option('--max-new-tokens <n>', 'the longest answer, in tokens', wholeNumber)
    .addHelpText('after', HELP)
    .action(async (images: string[], options: JudgeArguments) => {
      process.exitCode = await judge(images, options);
    });
}

interface NamedPolicy {
  readonly file: string;
  readonly policy: Policy;
}

/** A judgement of the run, with its policy. */
interface Planned extends Task {
  readonly policy: Policy;
}

type Outcome =
  | { readonly verdict: Verdict; readonly error: null }
  | { readonly verdict: null; readonly error: UserError };

/** Ended by a signal from outside. */
class Interruption extends Error {
  constructor(readonly code: ExitCode) {
    super('the run was interrupted');
  }
}

/** A server that answers nobody. */
class Gone extends Error {}

/** Judges every image under every policy and prints what comes out. @throws UserError where nothing can be judged. */
export async function judge(
  images: readonly string[],
  options: JudgeArguments,
  parts: JudgeParts = DEFAULT_PARTS,
): Promise<ExitCode> {
  const { terminal } = parts;
  checkStdin(images, options);
  checkNetworks(images);
  const policies = await policiesOf(options, parts);
  if (images.length === 0 && options.from === undefined) {
    throw new UserError('name an image file, before --policy: safeguard judge IMAGE… --policy FILE…');
  }
  const { names, skipped } = await parts.findImages(images, options);
  if (skipped > 0) {
    terminal.err(
      `note: ${skipped} files are passed over, whose names do not end as images' do or are filtered out`,
    );
  }
  if (names.length === 0) {
    throw new UserError('there is no image in what was named; look at the folder and the filters', {
      code: 'not_found',
    });
  }
  const stdin = names.includes('-') ? await parts.readStdin() : null;
  const items = options.together
    ? [{ name: names.join(' + '), images: names }]
    : names.map((name) => ({ name, images: [name] }));
  const tasks = items.flatMap((item) =>
    policies.map(({ file, policy }) => ({ ...item, file, policy, policyId: policy.id })),
  );
  const [model, load] = loadArguments(options);
  const guard = await parts.loadGuard(model, load);
  for (const { policy } of policies) {
    const note = guard.unknownWordsNote?.(policy) ?? null;
    if (note !== null) terminal.err(`note: ${oneLine(note)}`);
  }
  const results =
    options.output === undefined
      ? null
      : ResultsFile.open(
          options.output,
          settingsOf(options, guard),
          policies.map(({ file, policy }) => ({ file, id: policy.id })),
        );
  const run = new Run(guard, tasks, { options, terminal, results, stdin, policies });
  const end = new AbortController();
  const interrupt = (code: ExitCode) => (): void => end.abort(new Interruption(code));
  const handlers = [
    ['SIGINT', interrupt(EXIT.interrupted)],
    ['SIGTERM', interrupt(EXIT.terminated)],
  ] as const;
  // The second one is left to the process itself, which then ends at once.
  for (const [signal, handler] of handlers) parts.signals.on(signal, handler);
  end.signal.addEventListener('abort', () => {
    for (const [signal, handler] of handlers) parts.signals.off(signal, handler);
  });
  let stopped: unknown;
  let finished = false;
  try {
    await run.work(end.signal);
    finished = true;
  } catch (error) {
    if (!(error instanceof Interruption || error instanceof Gone)) throw error;
    stopped = error;
  } finally {
    for (const [signal, handler] of handlers) parts.signals.off(signal, handler);
    results?.finish(finished);
  }
  run.close(stopped !== undefined);
  if (stopped instanceof Interruption) return stopped.code;
  return exitCodeOf(run.tally, options.exitZero ?? false);
}

interface RunParts {
  readonly options: JudgeArguments;
  readonly terminal: Terminal;
  readonly results: ResultsFile | null;
  readonly stdin: Uint8Array | null;
  readonly policies: readonly NamedPolicy[];
}

/** All judgements of one command. */
class Run {
  readonly tally = new Tally();
  readonly #progress: JudgeProgress | null;
  readonly #shown: Terminal;
  #lastError = '';
  #silent = 0;
  #cutTold: boolean;

  constructor(
    private readonly guard: Judge,
    private readonly tasks: readonly Planned[],
    private readonly parts: RunParts,
  ) {
    const { options, terminal } = parts;
    this.#progress =
      tasks.length > 1 && !options.stream && terminal.progress !== undefined
        ? new JudgeProgress(tasks.length, this.tally, terminal.progress)
        : null;
    this.#cutTold = options.maxPixels !== undefined;
    const cleared =
      (show: (text: string) => void) =>
      (text: string): void => {
        this.#progress?.clear();
        show(text);
      };
    this.#shown = {
      ...terminal,
      out: cleared((text) => terminal.out(text)),
      err: cleared((text) => terminal.err(text)),
    };
  }

  async work(signal: AbortSignal): Promise<void> {
    const { options } = this.parts;
    const places: number[] = [];
    const judgements = this.#planned(places);
    const settings = { ...judgeOptions(options), signal };
    const judged: AsyncIterable<Outcome> = options.stream
      ? this.#oneByOne(judgements, settings)
      : this.guard.judgeAll(judgements, { ...settings, batchSize: BATCH_SIZE });
    for await (const { verdict, error } of judged) {
      const place = places.shift() ?? 0;
      if (error === null) await this.#verdict(place, verdict);
      else await this.#failure(place, error);
      this.#progress?.update();
    }
  }

  /** The summary, and what to do next. */
  close(stopped: boolean): void {
    const { options, terminal, policies } = this.parts;
    const { tally, tasks } = this;
    this.#progress?.clear();
    if (!options.json) {
      if (tasks.length > 1) {
        const facts = { policies: policies.length, interrupted: stopped, total: tasks.length };
        terminal.out(summary(tally, facts, terminal));
      }
      if (tally.done > tally.failures) terminal.out(terminal.paint('dim', OVERSIGHT));
    } else if (stopped) terminal.err(`stopped after ${tally.done} of ${tasks.length}`);
    if (tally.unknownPictures > 0) terminal.err(OTHER_MODEL);
    if (stopped) {
      terminal.err(
        options.output === undefined
          ? 'note: with --output FILE a run can be gone on with'
          : `note: run the same command again to go on with ${oneLine(options.output)}`,
      );
    }
  }

  /** What is not in the results yet. A batch that was cut in the middle is judged again whole, so that it comes out the same. */
  async *#planned(places: number[]): AsyncGenerator<Judgement, void> {
    const { results } = this.parts;
    const size = this.guard.engine.concurrency === undefined ? BATCH_SIZE : 1;
    for (let start = 0; start < this.tasks.length; start += size) {
      const batch = this.tasks.slice(start, start + size);
      let missing = results === null;
      if (results !== null) {
        for (const [i, task] of batch.entries()) {
          const row = await results.known(task, start + i);
          if (row === null) missing = true;
          else this.tally.kept(row.label);
        }
      }
      if (!missing) continue;
      for (const [i, task] of batch.entries()) {
        places.push(start + i);
        yield { image: this.#sources(task), policy: task.policy };
      }
    }
  }

  #sources({ images }: Planned): ImageSource | readonly ImageSource[] {
    const { stdin } = this.parts;
    const sources = images.map((name) => (name === '-' && stdin !== null ? stdin : name));
    return sources.length === 1 ? sources[0] : sources;
  }

  async *#oneByOne(
    judgements: AsyncIterable<Judgement>,
    settings: JudgeOptions,
  ): AsyncGenerator<Outcome, void> {
    const { terminal, options } = this.parts;
    for await (const { image, policy } of judgements) {
      // Standard error, so that what is piped on is verdicts alone.
      const lines = new LineWriter((text) => terminal.part(text), '  | ');
      const onText = options.json ? undefined : (text: string): void => lines.write(text);
      try {
        const verdict = await this.guard.judge(image, policy as Policy, {
          ...settings,
          ...(onText && { onText }),
        });
        lines.end();
        yield { verdict, error: null };
      } catch (error) {
        settings.signal?.throwIfAborted();
        if (!(error instanceof UserError)) throw error;
        lines.end();
        yield { verdict: null, error };
      }
    }
  }

  async #verdict(place: number, verdict: Verdict): Promise<void> {
    const { options, results } = this.parts;
    const task = this.tasks[place];
    this.#silent = 0;
    // Judged again with its batch; its row stands.
    if (results?.stands(place)) return;
    await results?.add(task, place, { verdict });
    this.tally.judged(task.name, task.file, verdict);
    if (verdict.maxPixels !== null && !this.#cutTold) {
      this.#cutTold = true;
      this.#shown.err(cutNote(verdict.maxPixels));
    }
    if (options.json) this.#shown.out(safeJson({ image: task.name, policyFile: task.file, ...verdict }));
    else if (results === null) {
      const show = this.tasks.length > 1 ? compactVerdict : fullVerdict;
      this.#shown.out(show(task.name, verdict, this.#shown, this.#policyName(task)));
    }
  }

  async #failure(place: number, error: UserError): Promise<void> {
    const { options, results } = this.parts;
    const task = this.tasks[place];
    if (results?.stands(place)) return;
    const { message, code, kind } = error;
    if (!PASSING.has(kind)) await results?.add(task, place, { failure: { message, code, kind } });
    this.tally.failed();
    // What is wrong with a picture is wrong under every policy.
    const own = task.images.some((name) => message.includes(name));
    const line = own ? message : `${task.name} under ${task.file}: ${message}`;
    if (line !== this.#lastError) this.#shown.err(`error: ${oneLine(line)}`);
    this.#lastError = line;
    if (options.json) {
      this.#shown.out(safeJson({ image: task.name, policyFile: task.file, error: message, code, kind }));
    }
    this.#silent = kind === 'unreachable' ? this.#silent + 1 : 0;
    if (this.#silent >= GONE_AFTER && 'baseURL' in this.guard.engine.identity) {
      this.#shown.err(
        `error: the server did not answer ${GONE_AFTER} times in a row; the others are not tried`,
      );
      this.tally.failures += this.tasks.length - this.tally.done;
      throw new Gone();
    }
  }

  /** By its title; where there are several policies, by its file too. */
  #policyName({ file, policy }: Planned): string {
    const title = oneLine(policy.title);
    return this.parts.policies.length > 1 && file !== policy.title ? `${title} (${oneLine(file)})` : title;
  }
}

function checkStdin(images: readonly string[], { policy = [], from }: JudgeArguments): void {
  const readers = [...images, ...policy, from].filter((name) => name === '-').length;
  if (readers > 1) {
    throw new UserError('standard input can be read once; give "-" for one of images, --policy and --from', {
      code: 'invalid_option',
    });
  }
}

async function policiesOf(
  { policy: files = [], policyText: texts = [] }: JudgeArguments,
  parts: JudgeParts,
): Promise<NamedPolicy[]> {
  if (files.length + texts.length === 0) {
    throw new UserError(
      'name a policy file: safeguard judge IMAGE… --policy FILE…, or give its words: --policy-text "No weapons."',
    );
  }
  const loaded = await Promise.all(
    files.map(async (file) => ({ file, policy: await policyOf(file, parts) })),
  );
  const given = texts.map((text, i) => {
    const name = texts.length === 1 ? 'policy-text' : `policy-text-${i + 1}`;
    return { file: name, policy: Policy.from(text, { name, source: '--policy-text' }) };
  });
  return [...loaded, ...given];
}

async function policyOf(file: string, parts: JudgeParts): Promise<Policy> {
  if (file === '-') {
    const text = Buffer.from(await parts.readStdin()).toString('utf8');
    return Policy.fromMarkdown(text, { name: 'standard input', source: 'the policy on standard input' });
  }
  try {
    return await parts.loadPolicy(file);
  } catch (error) {
    // What nobody would call a file is meant as the words themselves.
    if (!(error instanceof UserError) || !/\s|[.!?]$/u.test(file.trim()) || /\.\w{1,8}$/u.test(file))
      throw error;
    throw new UserError(
      `${error.message}. If these are the policy's own words, give them with --policy-text`,
      {
        code: error.code,
      },
    );
  }
}

/** What decides verdicts, as rows of `--output` keep it. */
function settingsOf(options: JudgeArguments, { engine, profile }: Judge): Settings {
  const { identity } = engine;
  const where = 'baseURL' in identity ? identity.baseURL : (identity.hash ?? identity.path);
  return {
    model: identity.name,
    weights: where,
    adapter: 'adapter' in identity ? (identity.adapter ?? null) : null,
    profile: profile.name,
    regime: options.regime ?? 'reason',
    certainty: options.certainty ?? null,
    constrained: options.constrained ?? false,
    together: options.together ?? false,
    maxNewTokens: options.maxNewTokens ?? null,
    maxPixels: options.maxPixels ?? null,
  };
}

/** Said once, where the user did not choose the limit. */
function cutNote(maxPixels: number): string {
  return `note: images are shown to the model at ${maxPixels} pixels at most, so that a verdict takes about a minute here; --max-pixels sets another limit`;
}

function judgeOptions({ regime, certainty, constrained, maxNewTokens }: JudgeArguments): JudgeOptions {
  return {
    ...(regime !== undefined && { regime }),
    ...(certainty !== undefined && { certainty }),
    ...(constrained !== undefined && { constrained }),
    ...(maxNewTokens !== undefined && { maxNewTokens }),
  };
}

/** The worst of several: 2 before 3 before 1. */
function exitCodeOf({ labels, failures }: Tally, exitZero: boolean): ExitCode {
  if (failures > 0) return EXIT.userError;
  if (exitZero) return EXIT.ok;
  if (labels.invalid > 0) return EXIT.invalid;
  return labels.unsafe > 0 ? EXIT.unsafe : EXIT.ok;
}
