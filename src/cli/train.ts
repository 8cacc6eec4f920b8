/**
 * @module `safeguard train sft|grpo`: runs a configuration to its end, resuming by itself, or hands it to another engine;
 * `report` and `inspect` read runs.
 */
import type { Command } from 'commander';
import type { GrpoEngine, SftEngine } from '../training/exporters/engines.js';
import { downloadView } from './download-view.js';
import { EXIT } from './exit-codes.js';
import { type ExportArguments, exportRun, grpoEngineOptions, sftEngineOptions } from './train-export.js';
import { registerInspect } from './train-inspect.js';
import { registerReport } from './train-report.js';

interface RunOptions<Engine> {
  readonly config: string;
  readonly engine?: Engine;
}

/** What asks a run to stop: Ctrl-C, and what cluster schedulers send. Given twice, they end it at once. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export function registerTrain(program: Command): void {
  const train = program.command('train').description('train a guardrail');
  sftEngineOptions(train.command('sft'))
    .description('supervised fine-tuning; goes on from the newest checkpoint of its output folder')
    .requiredOption('--config <file>', 'the run as YAML')
    .action(async ({ config: path, engine, ...rest }: RunOptions<SftEngine> & ExportArguments) => {
      if (engine !== undefined) return exportRun({ kind: 'sft', engine, path, ...rest });
      const [{ loadSftConfig }, { openSource }, { trainSft }] = await Promise.all([
        import('../training/config.js'),
        import('../training/sources.js'),
        import('../training/sft.js'),
      ]);
      const config = loadSftConfig(path);
      await stoppable(async (signal) => {
        const { finished } = await trainSft(config, await openSource(config), {
          signal,
          onDownload: downloadView(),
        });
        return finished;
      });
    });
  grpoEngineOptions(train.command('grpo'))
    .description('reinforcement learning with verifiable rewards; goes on from its newest checkpoint')
    .requiredOption('--config <file>', 'the run as YAML')
    .action(async ({ config: path, engine, ...rest }: RunOptions<GrpoEngine> & ExportArguments) => {
      if (engine !== undefined) return exportRun({ kind: 'grpo', engine, path, ...rest });
      const [{ loadGrpoConfig }, { openPrompts }, { trainGrpo }] = await Promise.all([
        import('../training/grpo/config.js'),
        import('../training/grpo/prompts.js'),
        import('../training/grpo/grpo.js'),
      ]);
      const config = loadGrpoConfig(path);
      await stoppable(async (signal) => {
        const { ended } = await trainGrpo(config, await openPrompts(config), {
          signal,
          onDownload: downloadView(),
        });
        return ended !== 'interrupted';
      });
    });
  registerReport(train);
  registerInspect(train);
}

/** Runs until the end or a signal; an interrupted run has an exit code of its own. */
export async function stoppable(run: (signal: AbortSignal) => Promise<boolean>): Promise<void> {
  const stop = new AbortController();
  const onSignal = (): void => {
    // Without this listener the next signal ends the process.
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
    stop.abort();
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  try {
    if (!(await run(stop.signal))) process.exitCode = EXIT.interrupted;
  } finally {
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  }
}
