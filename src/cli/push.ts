/** @module `safeguard push FOLDER NAME`: a checkpoint or adapter with its card onto the Hugging Face hub. */
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Publication, PublicationOptions } from '../training/model-card/publication.js';
import { formatDuration, ProgressLine } from '../util/progress.js';
import { formatBytes } from './download-view.js';
import { processTerminal } from './output.js';
import { printable } from './printable.js';

interface PushArguments extends PublicationOptions {
  readonly private?: boolean;
  readonly update?: boolean;
  readonly dryRun?: boolean;
}

export function registerPush(program: Command): void {
  program
    .command('push')
    .description('upload a checkpoint or adapter to the Hugging Face hub, with a model card')
    .argument('<folder>', 'a checkpoint (best or checkpoint-STEP of a run) or a PEFT adapter')
    .argument('<name>', 'org/name of the repository; made where it does not exist')
    .option('--dry-run', 'write the card into the folder and print what would be sent; asks the hub nothing')
    .option('--private', 'a new repository is seen by its owner alone')
    .option('--update', 'add a commit to a repository that has files')
    .option('--run <folder>', 'the run that made the weights, where they no longer lie in it')
    .option('--base-model <name>', 'the base’s name on the hub, where the folder does not tell')
    .option('--license <id>', 'the hub’s identifier of a licence (default: the base’s, where it is known)')
    .option('--evaluation <file>', 'Markdown for the card’s evaluation')
    .action(async (folder: string, name: string, options: PushArguments) => {
      const [{ checkRepoName, pushModel, refuseSecretText }, { publicationOf }, { writeAtomically }] =
        await Promise.all([
          import('../checkpoint/hub/index.js'),
          import('../training/model-card/publication.js'),
          import('../checkpoint/files.js'),
        ]);
      checkRepoName(name);
      const publication = await publicationOf(folder, name, options);
      for (const file of publication.files) refuseSecretText(file);
      if (options.dryRun) {
        const card = join(folder, 'README.md');
        if (publication.cardFrom === 'generated')
          writeAtomically(card, [new TextEncoder().encode(publication.card)]);
        processTerminal.out(`${printable(publication.card)}\n${listing(publication, card)}`);
        return;
      }
      const began = process.uptime();
      const line = new ProgressLine();
      const { url, commit } = await pushModel(name, publication.files, {
        isPrivate: options.private,
        update: options.update,
        onProgress: ({ sent, total }) =>
          line.update(`sending ${name}: ${formatBytes(sent)} of ${formatBytes(total)}`),
      });
      line.finish(`sent ${formatBytes(sizeOf(publication))} in ${formatDuration(process.uptime() - began)}`);
      processTerminal.out(`${url} (commit ${printable(commit)})`);
    });
}

const sizeOf = ({ files }: Publication): number => files.reduce((sum, { size }) => sum + size, 0);

function listing(publication: Publication, card: string): string {
  const { files, leftOut, cardFrom } = publication;
  const width = Math.max(...files.map(({ size }) => formatBytes(size).length));
  return [
    `${files.length} files, ${formatBytes(sizeOf(publication))}, would be sent:`,
    ...files.map(({ path, size }) => `  ${formatBytes(size).padStart(width)}  ${printable(path)}`),
    ...(leftOut.length === 0 ? [] : ['left out:']),
    ...leftOut.map(({ path, why }) => `  ${printable(path)} (${why})`),
    cardFrom === 'kept'
      ? `The card is ${card}, which was there; remove it to have a new one made.`
      : `The card was written to ${card}; edit it there, and it is sent as it is.`,
  ].join('\n');
}
