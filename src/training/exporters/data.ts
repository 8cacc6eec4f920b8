/** @module Prompts and samples as engines read them: texts, pictures as files, and what the reward service must know. */
import { plainWords } from '../../engines/plain-words.js';
import type { RgbImage } from '../../images/image.js';
import type { SampleSource } from '../examples.js';
import { CompletionLog } from '../grpo/completion-log.js';
import type { GrpoPrompt, PromptSource } from '../grpo/prompts.js';
import { COMPLETIONS_FILE } from '../grpo/records.js';
import { sentSampleOf } from '../rewards/wire.js';

/** A prompt as it is written out. */
export interface ExportedPrompt {
  /** What stands before the user's turn; the chat template's own words where it is left out. */
  readonly system?: string;
  /** Names of special tokens and of pictures' places are broken, as engines tokenize a rendered chat as one text. */
  readonly prompt: string;
  /** Paths relative to the export's folder. */
  readonly images: readonly string[];
  /** The label; a question's answer where no verdict is asked for. */
  readonly solution: string;
  /** A `SentSample` as JSON: one column that every engine hands on untouched. */
  readonly sample: string;
}

/** A sample of supervised fine-tuning as it is written out. */
export interface ExportedSample {
  readonly system?: string;
  readonly prompt: string;
  readonly answer: string;
  readonly images: readonly string[];
  readonly task: string;
}

export type Progress = (done: number, total: number) => void;

/** Pictures are written as what this program sees of them: turned, RGB, lossless. */
class Pictures {
  private readonly log: CompletionLog;

  constructor(folder: string) {
    this.log = new CompletionLog(folder, COMPLETIONS_FILE);
  }

  write(images: readonly RgbImage[]): Promise<string[]> {
    return this.log.images(images);
  }
}

/**
 * The first `count` prompts of the stream, in its order, so that an engine that does not shuffle meets what
 * `safeguard train grpo` would; and the held-out ones.
 * @throws UserError for a picture that cannot be read and a disk that refuses.
 */
export async function exportPrompts(
  source: PromptSource,
  folder: string,
  { count, heldOut }: { readonly count: number; readonly heldOut: number },
  onProgress: Progress = () => undefined,
): Promise<{ readonly train: ExportedPrompt[]; readonly heldOut: ExportedPrompt[] }> {
  const pictures = new Pictures(folder);
  const train: ExportedPrompt[] = [];
  for (let i = 0; i < count; i++) {
    train.push(await exported(await source.prompt(i), pictures));
    onProgress(i + 1, count);
  }
  const kept: ExportedPrompt[] = [];
  for (const prompt of await source.heldOut(heldOut)) kept.push(await exported(prompt, pictures));
  return { train, heldOut: kept };
}

const systemOf = (system: string | undefined): { system?: string } =>
  system === undefined ? {} : { system: plainWords(system) };

async function exported(
  { system, prompt, images, sample }: GrpoPrompt,
  pictures: Pictures,
): Promise<ExportedPrompt> {
  const text = plainWords(prompt);
  const sent = sentSampleOf(text, { ...sample, statements: sample.statements.map(plainWords) });
  return {
    ...systemOf(system),
    prompt: text,
    images: await pictures.write(images),
    solution: plainWords(sample.label ?? sample.answer ?? ''),
    sample: JSON.stringify(sent),
  };
}

/** The first `count` samples of the stream, in its order. @throws UserError as for prompts. */
export async function exportSamples(
  source: SampleSource,
  folder: string,
  count: number,
  onProgress: Progress = () => undefined,
): Promise<ExportedSample[]> {
  const pictures = new Pictures(folder);
  const samples: ExportedSample[] = [];
  for (let i = 0; i < count; i++) {
    const { system, prompt, answer, images, task } = await source.sample(i);
    samples.push({
      ...systemOf(system),
      prompt: plainWords(prompt),
      answer: plainWords(answer),
      images: await pictures.write(images),
      task,
    });
    onProgress(i + 1, count);
  }
  return samples;
}
