import { fromBinary } from '@bufbuild/protobuf';
import { AttributeProto_AttributeType, type GraphProto, type ModelProto, ModelProtoSchema } from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { softmax } from '../graph/composites.js';
import * as op from '../graph/ops.js';
import { checkModel } from './check.js';
import { lower } from './lower.js';

/** y = softmax(x) + softmax(−x): four nodes, two of them with an attribute. */
function sound(): ModelProto & { graph: GraphProto } {
  const x = op.input('x', 'f32', [2, 3]);
  const { proto } = lower(
    { y: op.add(softmax(x), softmax(op.neg(x))) },
    { fuse: 'inference', weights: 'input' },
  );
  const model = fromBinary(ModelProtoSchema, proto);
  if (model.graph === undefined) throw new Error('no graph');
  return Object.assign(model, { graph: model.graph });
}

describe('checkModel', () => {
  it('accepts what lower makes', () => {
    expect(() => checkModel(sound())).not.toThrow();
  });

  const faults: Record<string, [spoil: (graph: GraphProto) => void, message: string]> = {
    'a value used before it is defined': [(graph) => graph.node.reverse(), 'which nothing before it defines'],
    'a value defined twice': [
      (graph) => {
        graph.node[1].output[0] = graph.node[0].output[0];
      },
      'is defined twice',
    ],
    'two nodes of one name': [
      (graph) => {
        graph.node[1].name = graph.node[0].name;
      },
      'two nodes are named',
    ],
    'an input without a type': [
      (graph) => {
        graph.input[0].type = undefined;
      },
      "the input 'x' has no type",
    ],
    'an output that nothing defines': [
      (graph) => {
        graph.output[0].name = 'z';
      },
      "nothing defines the output 'z'",
    ],
    'an attribute with a second field': [
      (graph) => {
        graph.node[0].attribute.push(...graph.node.flatMap(({ attribute }) => attribute).slice(0, 1));
        graph.node[0].attribute[0].f = 1;
      },
      "carries 'f' beside 'i'",
    ],
    'an attribute of an unknown type': [
      (graph) => {
        for (const { attribute } of graph.node)
          for (const each of attribute) each.type = AttributeProto_AttributeType.GRAPH;
      },
      'has an unknown type',
    ],
    'a node without output': [
      (graph) => {
        graph.node[0].output = [];
      },
      'has no output',
    ],
  };
  it.each(Object.entries(faults))('refuses %s', (_, [spoil, message]) => {
    const model = sound();
    spoil(model.graph);
    expect(() => checkModel(model)).toThrow(message);
  });

  it('refuses an operator set that is not imported', () => {
    const model = sound();
    model.graph.node[0].domain = 'elsewhere';
    expect(() => checkModel(model)).toThrow("is of 'elsewhere', which is not imported");
  });
});
