/** @module A small application of an op: how it is written, built into a graph, and made a loss. */
import { Random } from '../util/random.js';
import type { DType } from './dtype.js';
import { interpret } from './interpreter.js';
import type { Tensor } from './node.js';
import * as op from './ops.js';
import type { Shape } from './shape.js';

export interface CaseInput {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The shape the graph declares, where it has named sizes. */
  readonly declared?: Shape;
  readonly data: readonly number[];
}

export interface Case {
  /** Unique; starts with the op it is for. */
  readonly name: string;
  readonly op: string;
  readonly inputs: Readonly<Record<string, CaseInput>>;
  readonly build: (x: Readonly<Record<string, Tensor>>) => readonly Tensor[];
  /** Smooth in all its float inputs at their values: central differences apply. */
  readonly smooth: boolean;
}

const random = new Random('graph cases');

/** Uniform numbers that f32 holds exactly. */
export function floats(shape: readonly number[], low = -2, high = 2, declared?: Shape): CaseInput {
  const count = shape.reduce((product, size) => product * size, 1);
  const data = Array.from({ length: count }, () => Math.fround(random.uniform(low, high)));
  return { dtype: 'f32', shape, data, ...(declared === undefined ? {} : { declared }) };
}

/** Multiples of 1/8, which f16 holds exactly too. */
function eighths(shape: readonly number[]): CaseInput {
  const { data, ...type } = floats(shape);
  return { ...type, data: data.map((x) => Math.round(x * 8) / 8) };
}

export function values(dtype: DType, shape: readonly number[], data: readonly number[]): CaseInput {
  return { dtype, shape, data };
}

export const i64 = (shape: readonly number[], data: readonly number[]): CaseInput =>
  values('i64', shape, data);
export const bool = (shape: readonly number[], data: readonly number[]): CaseInput =>
  values('bool', shape, data);

export type Build = (x: Readonly<Record<string, Tensor>>) => Tensor | readonly Tensor[];

export function caseOf(
  title: string,
  inputs: Readonly<Record<string, CaseInput>>,
  build: Build,
  smooth = true,
): Case {
  return { name: title, op: title.split(/[ ,]/)[0], inputs, build: (x) => [build(x)].flat(), smooth };
}

export const rough = (title: string, inputs: Readonly<Record<string, CaseInput>>, build: Build): Case =>
  caseOf(title, inputs, build, false);

/** The case as a graph over inputs of its names. */
export function buildCase({ inputs, build }: Case): {
  outputs: readonly Tensor[];
  tensors: Record<string, Tensor>;
} {
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype, shape, declared }]) => [
      name,
      op.input(name, dtype, declared ?? shape),
    ]),
  );
  return { outputs: build(tensors), tensors };
}

/**
 * A scalar in which every element of the case's outputs counts differently, what it can be differentiated by, and
 * its feeds. The weights are fed, since a shape of named sizes has no constants.
 */
export function lossOfCase(example: Case): {
  readonly loss: Tensor;
  readonly wrt: readonly Tensor[];
  readonly feeds: Readonly<Record<string, CaseInput>>;
} {
  const { outputs, tensors } = buildCase(example);
  const weights = interpret(outputs, example.inputs).map(
    ({ shape }, i) => [`weights${i}`, eighths(shape)] as const,
  );
  const parts = outputs.map((output, i) => {
    const weighed = op.mul(output, op.input(`weights${i}`, 'f32', output.shape));
    return op.reduceSum(
      weighed,
      output.shape.map((_, axis) => axis),
      false,
    );
  });
  return {
    loss: parts.reduce(op.add),
    wrt: Object.values(tensors).filter(({ dtype }) => dtype === 'f32'),
    feeds: { ...example.inputs, ...Object.fromEntries(weights) },
  };
}
