/** @module `report.html`: a run as one file that opens anywhere, without a server, and asks nothing of the network. */
import { writeAtomically } from '../../checkpoint/files.js';
import type { RunLog } from '../runs/run-log.js';
import { gather } from './gather.js';
import { reportPage } from './page.js';
import { pictureUri } from './pictures.js';

/** Gathers what a run says and writes it as one page. @throws UserError where the run is damaged or the disk refuses. */
export async function writeReport(run: RunLog, file: string): Promise<void> {
  // Supervised fine-tuning samples nothing.
  const gathered = run.method === 'sft' ? null : await gather(run);
  const groups = [
    ...(gathered?.samples.map(({ group }) => group) ?? []),
    ...(gathered?.compared?.prompts.flatMap(({ groups: of }) => of) ?? []),
  ];
  const paths = new Set(groups.flatMap(({ completions }) => completions[0].images));
  const pictures = new Map<string, string | null>();
  for (const path of paths) pictures.set(path, await pictureUri(run.folder, path));
  writeAtomically(file, [new TextEncoder().encode(reportPage(run, gathered, pictures))]);
}
