import { describe, expect, it } from 'vitest';
import { Random } from '../util/random.js';
import { checkpoint, type TrainingOutputs } from './checkpoint.js';
import * as c from './composites.js';
import { gradients } from './gradients.js';
import { type Feed, interpret } from './interpreter.js';
import { type Node, reachable, type Tensor } from './node.js';
import * as op from './ops.js';
import { shareSubexpressions } from './share.js';
import { verify } from './verify.js';

const WIDTH = 4;
const random = new Random('checkpoint');
const feed = (shape: readonly number[]): Feed => ({
  shape,
  data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.uniform(-1, 1)),
});

interface Chain {
  readonly states: readonly Tensor[];
  readonly loss: Tensor;
  readonly weights: readonly Tensor[];
  readonly feeds: Readonly<Record<string, Feed>>;
}

/** `blocks` gated layers over x [3, 4]; `extra` may add to what a block gives. */
function chainOf(
  blocks: number,
  extra: (block: number, states: readonly Tensor[]) => Tensor | null = () => null,
): Chain {
  const x = op.input('x', 'f32', ['rows', WIDTH]);
  const first = op.parameter('w.in', [WIDTH, WIDTH]);
  const states = [op.tanh(op.matmul(x, first))];
  const weights = [first];
  // What all blocks read, as positions are read by all layers.
  const turn = op.cos(x);
  for (let block = 0; block < blocks; block++) {
    const hidden = states[block];
    const gate = op.parameter(`w.${block}.gate`, [WIDTH, WIDTH]);
    const down = op.parameter(`w.${block}.down`, [WIDTH, WIDTH]);
    weights.push(gate, down);
    const inner = op.mul(c.silu(c.linear(hidden, gate)), turn);
    const more = extra(block, states);
    const next = op.add(hidden, c.linear(inner, down));
    states.push(more === null ? next : op.add(next, more));
  }
  const last = states[blocks];
  const loss = op.reduceSum(c.softmax(op.matmul(last, op.matrixTranspose(first))), [0, 1], false);
  const weighted = op.add(loss, op.reduceSum(op.mul(last, last), [0, 1], false));
  const feeds = Object.fromEntries(
    weights.map(({ node, shape }) => [String(node.attributes.name), feed(shape as number[])]),
  );
  return { states, loss: weighted, weights, feeds: { ...feeds, x: feed([3, WIDTH]) } };
}

/** With everything kept, and with the given states alone. */
function both(
  { states, loss, weights }: Chain,
  keep: (i: number) => boolean = () => true,
): [TrainingOutputs, TrainingOutputs] {
  const kept = states.filter((_, i) => keep(i));
  const all = gradients(loss, [...weights, ...kept]);
  const whole = { forward: [loss], gradients: all.slice(0, weights.length) };
  return [
    whole,
    checkpoint(
      whole,
      kept.map((state, i) => ({ state, gradient: all[weights.length + i] })),
    ),
  ];
}

const flat = ({ forward, gradients: found }: TrainingOutputs): Tensor[] => [...forward, ...found];
const countOf = (outputs: readonly Tensor[], name: string): number =>
  reachable(outputs).filter((node) => node.op === name).length;

/** The same numbers, bit by bit. */
function expectSame(plain: TrainingOutputs, changed: TrainingOutputs, feeds: Chain['feeds']): void {
  const outputs = shareSubexpressions(flat(changed));
  verify(outputs);
  expect(interpret(outputs, feeds)).toEqual(interpret(flat(plain), feeds));
}

describe('checkpoint', () => {
  it.each([1, 2, 5])('computes %s blocks twice and changes no number', (blocks) => {
    const chain = chainOf(blocks);
    const [plain, changed] = both(chain);
    expectSame(plain, changed, chain.feeds);
    // One activation a block, and sharing equal parts does not undo it.
    expect(countOf(shareSubexpressions(flat(plain)), 'silu')).toBe(blocks);
    const shared = shareSubexpressions(flat(changed));
    expect(countOf(shared, 'silu')).toBe(2 * blocks);
    // What several blocks read is computed once.
    expect(countOf(shared, 'cos')).toBe(blocks === 1 ? 2 : 1);
  });

  it('keeps only every second state where it is told so', () => {
    const chain = chainOf(4);
    const [plain, changed] = both(chain, (i) => i % 2 === 0);
    expectSame(plain, changed, chain.feeds);
    expect(countOf(shareSubexpressions(flat(changed)), 'silu')).toBe(8);
  });

  it('begins a block again only after its gradient and all later weights are done', () => {
    const blocks = 3;
    const chain = chainOf(blocks);
    const [, changed] = both(chain);
    const outputs = shareSubexpressions(flat(changed));
    const [, , ...perWeight] = outputs;
    const activations = reachable(outputs).filter(({ op: name }) => name === 'silu');
    const first = new Set(reachable(outputs.slice(0, 1)));
    const again = activations.filter((node) => !first.has(node));
    expect(again).toHaveLength(blocks);
    again.forEach((node) => {
      const before = new Set<Node>(reachable([node.outputs[0]]));
      const done = perWeight.filter((gradient) => before.has(gradient.node)).length;
      // The last block's turn is first; each later one waits for two weights more.
      const turn = again.filter((other) => before.has(other) && other !== node).length;
      expect(done).toBe(2 * turn);
      expect(before.has(outputs[0].node)).toBe(true);
    });
  });

  it('computes nothing again where nothing is trained below', () => {
    const chain = chainOf(3);
    const [plain, changed] = both({ ...chain, weights: chain.weights.slice(-2) });
    expectSame(plain, changed, chain.feeds);
    expect(countOf(shareSubexpressions(flat(changed)), 'silu')).toBe(4);
  });

  it('takes what only one block reads into that block: the mask of a dropout', () => {
    const noise = op.input('noise', 'f32', ['rows', 1]);
    const chain = chainOf(2, (block, states) =>
      op.mul(op.mul(states[block], states[block]), op.sin(op.add(noise, block + 1))),
    );
    const feeds = { ...chain.feeds, noise: feed([3, 1]) };
    const [plain, changed] = both(chain);
    expectSame(plain, changed, feeds);
    expect(countOf(shareSubexpressions(flat(changed)), 'sin')).toBe(4);
  });

  it('keeps what is read across a boundary', () => {
    const chain = chainOf(3, (block, states) => (block === 2 ? op.sin(op.exp(states[0])) : null));
    const [plain, changed] = both(chain);
    expectSame(plain, changed, chain.feeds);
    expect(countOf(shareSubexpressions(flat(changed)), 'silu')).toBe(6);
  });

  it('changes nothing without a block between two boundaries', () => {
    const chain = chainOf(2);
    const [plain, changed] = both(chain, (i) => i === 1);
    expectSame(plain, changed, chain.feeds);
    expect(countOf(shareSubexpressions(flat(changed)), 'silu')).toBe(2);
  });
});
