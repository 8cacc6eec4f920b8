/** @module Learning to answer: −log p of every token of the answers. */
import type { Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import type { Processor } from '../models/qwen2_5_vl/processor.js';
import type { LoraSettings } from '../nn/lora.js';
import { UserError } from '../util/errors.js';
import { Random } from '../util/random.js';
import {
  answerTokens,
  collateExamples,
  type MicroBatch,
  microBatches,
  type TokenWeights,
} from './batches.js';
import { layersBetweenStates, type SftConfig } from './config.js';
import { encodeSample, type FiniteSource, type SampleSource, type TrainingExample } from './examples.js';
import type { FrozenVision } from './image-features.js';
import type { Feeds, Objective } from './objective.js';
import { type ImagePath, type SftGraph, sftGraph } from './sft-graph.js';
import type { ModelWeights } from './weights.js';

/** What an objective needs of a run. */
export interface ObjectiveParts {
  readonly config: SftConfig;
  readonly source: SampleSource;
  readonly model: Qwen2_5_VLConfig;
  readonly processor: Processor;
  readonly weights: ModelWeights;
  readonly lora: LoraSettings | undefined;
  readonly trainable: (name: string) => boolean;
  /** Where the image features come from: a tower of which nothing is trained needs no gradients. */
  readonly images: 'tower' | 'features';
  /** The frozen tower, made when it is first needed. */
  readonly vision: () => Promise<FrozenVision>;
}

/** How many samples of a source a step takes: the last one of a finite source may be short. */
export const samplesAt = (source: SampleSource | FiniteSource, step: number, batchSize: number): number =>
  'count' in source ? Math.min(batchSize, source.count - step * batchSize) : batchSize;

export class AnswersObjective implements Objective<MicroBatch> {
  private readonly tokenWeights: TokenWeights;

  constructor(private readonly parts: ObjectiveParts) {
    this.tokenWeights = tokenWeightsOf(parts);
  }

  async batches(step: number): Promise<MicroBatch[]> {
    const { config, source, processor, model, images } = this.parts;
    const limits = { maxLength: config.max_length, vocabSize: model.text.vocabSize };
    const examples: TrainingExample[] = [];
    const size = samplesAt(source, step, config.batch_size);
    for (let i = 0; i < size; i++) {
      const sample = await source.sample(step * config.batch_size + i);
      examples.push(encodeSample(processor, sample, limits));
    }
    const { tokenWeights } = this;
    const labelWeight = 1 / answerTokens(examples, tokenWeights);
    const settings = { config: model, padId: processor.padId, labelWeight, tokenWeights, images };
    return microBatches(examples, config.micro_batch_size).map((rows) => collateExamples(rows, settings));
  }

  async feeds(batch: MicroBatch, place: string): Promise<Feeds> {
    return this.withDropout(await this.withFeatures(batch), place);
  }

  graphKey({ images, padded, pieces }: MicroBatch): string {
    return `${this.path(images.length)}/${padded}/${pieces}`;
  }

  graph({ images, padded, pieces }: MicroBatch): SftGraph {
    const { model, trainable, lora, config } = this.parts;
    return sftGraph(model, {
      images: this.path(images.length),
      padding: 'right',
      paddedSlots: padded,
      pieces,
      trainable,
      lora,
      keptEvery: layersBetweenStates(config.gradient_checkpointing),
    });
  }

  dispose(): Promise<void> {
    return Promise.resolve();
  }

  private path(images: number): ImagePath {
    return images > 0 ? this.parts.images : 'none';
  }

  private async withFeatures({ feeds, images }: MicroBatch): Promise<Feeds> {
    if (images.length === 0 || this.parts.images === 'tower') return feeds;
    const vision = await this.parts.vision();
    return { ...feeds, features: await vision.features(images) };
  }

  /** What an adapter's dropout is drawn from: decided by the step and the micro-batch alone. */
  private withDropout(feeds: Feeds, place: string): Feeds {
    const { config, lora } = this.parts;
    if (lora === undefined || lora.dropout === 0) return feeds;
    const random = new Random(`${config.seed}/dropout/${place}`);
    const { shape } = feeds.input_ids;
    const data = Float32Array.from({ length: shape[0] * shape[1] }, () => random.next());
    return { ...feeds, dropout_rows: { dtype: 'f32', shape, data } };
  }
}

/** The ids of the words that `token_weights` names. A UserError for a word of several tokens. */
function tokenWeightsOf({ config, processor }: ObjectiveParts): TokenWeights {
  return new Map(
    Object.entries(config.token_weights ?? {}).map(([word, weight]) => {
      const ids = processor.tokenizer.encode(word, { special: false });
      if (ids.length !== 1)
        throw new UserError(
          `token_weights: '${word}' is ${ids.length} tokens of this tokenizer: name words of one token, with the space before them.`,
        );
      return [ids[0], weight];
    }),
  );
}
