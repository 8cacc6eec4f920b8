/** @module `safeguard train report RUN`: one HTML file that shows a run to people. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { processTerminal } from './output.js';

interface ReportArguments {
  readonly output?: string;
}

export function registerReport(train: Command): void {
  train
    .command('report')
    .description('a run as one HTML file: curves, rewards, samples with their pictures, what changed')
    .argument('<run>', 'the output folder of a run, also of one that is under way')
    .option('--output <file>', 'where to write it (default: report.html in the run’s folder)')
    .action(async (path: string, { output }: ReportArguments) => {
      const [{ openRun }, { writeReport }] = await Promise.all([
        import('../training/runs/run-log.js'),
        import('../training/report/report.js'),
      ]);
      const run = await openRun(path);
      const file = output ?? join(run.folder, 'report.html');
      await writeReport(run, file);
      processTerminal.out(file);
    });
}
