/** @module `safeguard train … --engine NAME`: writes the run as a folder that another engine trains from. */
import { type Command, Option } from 'commander';
import type { GrpoEngine, SftEngine } from '../training/exporters/engines.js';
import { UserError } from '../util/errors.js';

export interface ExportArguments {
  readonly exportTo?: string;
  readonly rewardsUrl?: string;
}

const GRPO_CHOICES = ['ms-swift', 'trl', 'verl', 'openrlhf'] as const satisfies readonly GrpoEngine[];
const SFT_CHOICES = ['ms-swift', 'trl'] as const satisfies readonly SftEngine[];

function engineOptions(command: Command, choices: readonly string[]): Command {
  return command
    .addOption(
      new Option(
        '--engine <name>',
        'train nothing: write the run for another engine, to train on a cluster',
      ).choices(choices),
    )
    .option(
      '--export-to <folder>',
      "where that goes (default: the run's output, with the engine's name behind it)",
    );
}

export const sftEngineOptions = (command: Command): Command => engineOptions(command, SFT_CHOICES);

export const grpoEngineOptions = (command: Command): Command =>
  engineOptions(command, GRPO_CHOICES).option(
    '--rewards-url <url>',
    'where the engine reaches `safeguard rewards serve` (default: this machine)',
  );

type Exported = ExportArguments & {
  /** The configuration's file. */
  readonly path: string;
} & (
    | { readonly kind: 'grpo'; readonly engine: GrpoEngine }
    | { readonly kind: 'sft'; readonly engine: SftEngine }
  );

/** Writes the folder and says how to start it. */
export async function exportRun(options: Exported): Promise<void> {
  const { path, engine, exportTo, rewardsUrl } = options;
  if (rewardsUrl !== undefined && !/^https?:$/u.test(protocolOf(rewardsUrl)))
    throw new UserError(`--rewards-url ${rewardsUrl} is no http(s) address: give one like http://host:8710.`);
  const [{ readYaml }, { ProgressLine }] = await Promise.all([
    import('../training/config.js'),
    import('../util/progress.js'),
  ]);
  const json = readYaml(path);
  const line = new ProgressLine();
  const common = {
    file: path,
    json,
    rewardsUrl,
    onProgress: (done: number, total: number) => {
      line.update(`${done} of ${total} rows`);
    },
  };
  const result = await (options.kind === 'grpo'
    ? exportGrpoRun(options.engine, json, { ...common, exportTo })
    : exportSftRun(options.engine, json, { ...common, exportTo }));
  line.finish(`${result.rows} rows for ${engine}`);
  for (const file of result.files) process.stdout.write(`${result.folder}/${file}\n`);
}

interface Common extends ExportArguments {
  readonly file: string;
  readonly json: unknown;
  readonly onProgress: (done: number, total: number) => void;
}

async function exportGrpoRun(engine: GrpoEngine, json: unknown, { exportTo, ...options }: Common) {
  const [{ parseGrpoConfig }, { openPrompts }, { exportGrpo }] = await Promise.all([
    import('../training/grpo/config.js'),
    import('../training/grpo/prompts.js'),
    import('../training/exporters/export.js'),
  ]);
  const config = parseGrpoConfig(json, options.file);
  const folder = exportTo ?? `${config.output}-${engine}`;
  return exportGrpo(engine, config, openPrompts, { ...options, folder });
}

async function exportSftRun(engine: SftEngine, json: unknown, { exportTo, ...options }: Common) {
  const [{ parseSftConfig }, { openSource }, { exportSft }] = await Promise.all([
    import('../training/config.js'),
    import('../training/sources.js'),
    import('../training/exporters/export.js'),
  ]);
  const config = parseSftConfig(json, options.file);
  const folder = exportTo ?? `${config.output}-${engine}`;
  return exportSft(engine, config, openSource, { ...options, folder });
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : '';
}
