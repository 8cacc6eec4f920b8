/** @module `safeguard train sft`: runs a configuration to its end, resuming by itself. */
import type { Command } from 'commander';

interface SftOptions {
  readonly config: string;
}

export function registerTrain(program: Command): void {
  const train = program.command('train').description('train a guardrail');
  train
    .command('sft')
    .description('supervised fine-tuning; goes on from the newest checkpoint of its output folder')
    .requiredOption('--config <file>', 'the run as YAML')
    .action(async ({ config: path }: SftOptions) => {
      const { loadSftConfig } = await import('../training/config.js');
      const { openSource } = await import('../training/sources.js');
      const { trainSft } = await import('../training/sft.js');
      const config = loadSftConfig(path);
      const stop = new AbortController();
      process.once('SIGINT', () => stop.abort());
      await trainSft(config, await openSource(config), { signal: stop.signal });
      if (stop.signal.aborted) process.exitCode = 130;
    });
}
