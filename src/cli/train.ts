/** @module `safeguard train sft`: runs a configuration to its end, resuming by itself. */
import type { Command } from 'commander';
import { EXIT } from './exit-codes.js';

interface SftOptions {
  readonly config: string;
}

/** What asks a run to stop: Ctrl-C, and what cluster schedulers send. Given twice, they end it at once. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export function registerTrain(program: Command): void {
  const train = program.command('train').description('train a guardrail');
  train
    .command('sft')
    .description('supervised fine-tuning; goes on from the newest checkpoint of its output folder')
    .requiredOption('--config <file>', 'the run as YAML')
    .action(async ({ config: path }: SftOptions) => {
      const [{ loadSftConfig }, { openSource }, { trainSft }] = await Promise.all([
        import('../training/config.js'),
        import('../training/sources.js'),
        import('../training/sft.js'),
      ]);
      const config = loadSftConfig(path);
      const stop = new AbortController();
      const onSignal = (): void => {
        // Without this listener the next signal ends the process.
        for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
        stop.abort();
      };
      for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
      try {
        const { finished } = await trainSft(config, await openSource(config), { signal: stop.signal });
        if (!finished) process.exitCode = EXIT.interrupted;
      } finally {
        for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
      }
    });
}
