/** @module Learning to see before learning to speak: the cells of pictures as words, without the language model. */
import type { Mark } from '../iconworld/marks.js';
import { visionFeeds } from '../models/qwen2_5_vl/feeds.js';
import type { ProcessedImage } from '../models/qwen2_5_vl/image-processing.js';
import { UserError } from '../util/errors.js';
import { type ObjectiveParts, samplesAt } from './answers-objective.js';
import { cellsGraph } from './cells-graph.js';
import { layersBetweenStates } from './config.js';
import type { Feeds, Objective, ObjectiveBatch } from './objective.js';
import type { SftGraph } from './sft-graph.js';

/** Cells where nothing is marked count so much: they are five of six. */
const EMPTY_WEIGHT = 0.3;
/** The word for "nothing here": it never stands for itself, features take its place. */
const EMPTY_WORD = '<|image_pad|>';

interface CellsBatch extends ObjectiveBatch {
  readonly padded: boolean;
}

interface MarkedImage {
  readonly image: ProcessedImage;
  readonly marks: readonly Mark[];
}

export class CellsObjective implements Objective<CellsBatch> {
  /** Token ids of the words, "nothing here" first. */
  private readonly ids: readonly number[];
  /** Each word's place among them. */
  private readonly placeOf: ReadonlyMap<string, number>;

  /** `vocabulary`: every word that a mark may have. */
  constructor(
    private readonly parts: ObjectiveParts,
    vocabulary: readonly string[],
  ) {
    const { tokenizer } = parts.processor;
    const empty = tokenizer.id(EMPTY_WORD);
    if (empty === undefined)
      throw new UserError(`The tokenizer has no ${EMPTY_WORD} token: train with a Qwen2.5-VL tokenizer.`);
    const named = vocabulary.map((word) => tokenizer.encode(` ${word}`, { special: false })[0]);
    this.ids = [...new Set([empty, ...named])];
    this.placeOf = new Map(vocabulary.map((word, i) => [word, this.ids.indexOf(named[i])]));
  }

  async batches(step: number): Promise<CellsBatch[]> {
    const { config, source, processor } = this.parts;
    const marked: MarkedImage[] = [];
    const count = samplesAt(source, step, config.batch_size);
    for (let i = 0; i < count; i++) {
      const { images, marks, task } = await source.sample(step * config.batch_size + i);
      if (images.length !== 1 || marks === undefined) {
        throw new UserError(
          `The objective cells needs pictures with marks, and a ${task} sample has none: name tasks that have them.`,
        );
      }
      marked.push({ image: processor.imageProcessor.preprocess(images[0]), marks });
    }
    const size = config.micro_batch_size;
    const labelled = marked.map((one) => this.labels(one));
    const total = labelled.flat().reduce((sum, place) => sum + weightOf(place), 0);
    return Array.from({ length: Math.ceil(marked.length / size) }, (_, i) => {
      const from = i * size;
      const images = marked.slice(from, from + size).map(({ image }) => image);
      return this.collate(images, labelled.slice(from, from + size).flat(), total);
    });
  }

  feeds({ feeds }: CellsBatch): Promise<Feeds> {
    return Promise.resolve(feeds);
  }

  graphKey({ padded }: CellsBatch): string {
    return `cells/${padded}`;
  }

  graph({ padded }: CellsBatch): SftGraph {
    const { model, trainable, config } = this.parts;
    return cellsGraph(model, {
      words: this.ids.length,
      paddedSlots: padded,
      trainable,
      keptEvery: layersBetweenStates(config.gradient_checkpointing),
    });
  }

  dispose(): Promise<void> {
    return Promise.resolve();
  }

  /** For each cell of a picture, row by row, the place of its word. */
  private labels({ image, marks }: MarkedImage): number[] {
    const merge = this.parts.model.vision.spatialMergeSize;
    const [, rows, columns] = image.grid.map((side) => side / merge);
    const labels = Array.from({ length: rows * columns }, () => 0);
    for (const { x, y, word } of marks) {
      const place = this.placeOf.get(word);
      if (place === undefined) throw new UserError(`The mark '${word}' is not in the vocabulary of cells.`);
      const row = Math.min(rows - 1, Math.floor(y * rows));
      const column = Math.min(columns - 1, Math.floor(x * columns));
      labels[row * columns + column] = place;
    }
    return labels;
  }

  private collate(images: readonly ProcessedImage[], labels: readonly number[], total: number): CellsBatch {
    const { layout, patches, positions, present, tokenSlots } = visionFeeds(images, this.parts.model);
    const { ids } = this;
    const weights = Float32Array.from(labels, (place) => weightOf(place) / total);
    return {
      feeds: {
        patches,
        patch_positions: positions,
        patch_present: present,
        token_slots: tokenSlots,
        words: { dtype: 'i64', shape: [ids.length], data: BigInt64Array.from(ids, BigInt) },
        labels: { dtype: 'i64', shape: [labels.length], data: BigInt64Array.from(labels, BigInt) },
        label_weights: { dtype: 'f32', shape: [labels.length], data: weights },
      },
      answers: labels.map((place) => ({ task: place === 0 ? 'empty' : 'marked', length: 1 })),
      padded: layout.padded,
      tokens: labels.length,
      paddedTokens: layout.patchOfSlot.length / this.parts.model.vision.spatialMergeSize ** 2,
    };
  }
}

const weightOf = (place: number): number => (place === 0 ? EMPTY_WEIGHT : 1);
