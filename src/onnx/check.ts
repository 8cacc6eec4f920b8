/** @module What must hold of every ONNX model before a session is given it. */
import { isFieldSet } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  type ModelProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { InternalError } from '../util/errors.js';

const { field } = AttributeProtoSchema;

/** The field that holds the value of each attribute type we write. */
const VALUE_FIELDS = new Map([
  [AttributeType.INT, 'i'],
  [AttributeType.FLOAT, 'f'],
  [AttributeType.STRING, 's'],
  [AttributeType.INTS, 'ints'],
]);
const NOT_VALUES = ['name', 'type', 'docString', 'refAttrName'];

function checkAttribute(node: string, attribute: AttributeProto): void {
  const own = VALUE_FIELDS.get(attribute.type);
  if (own === undefined)
    throw new InternalError(`'${node}': the attribute '${attribute.name}' has an unknown type`);
  for (const descriptor of Object.values(field)) {
    const { localName } = descriptor;
    if (NOT_VALUES.includes(localName) || localName === own) continue;
    if (isFieldSet(attribute, descriptor)) {
      throw new InternalError(
        `'${node}': the attribute '${attribute.name}' carries '${localName}' beside '${own}'`,
      );
    }
  }
}

function checkTyped(what: string, { name, type }: ValueInfoProto): void {
  const isTyped =
    type?.value.case === 'tensorType' &&
    type.value.value.elemType !== 0 &&
    type.value.value.shape !== undefined &&
    type.value.value.shape.dim.every(({ value }) => value.case !== undefined);
  if (!isTyped) throw new InternalError(`the ${what} '${name}' has no type`);
}

function checkGraph(graph: GraphProto): void {
  const defined = new Set<string>();
  const define = (name: string): void => {
    if (name === '') throw new InternalError('a value has no name');
    if (defined.has(name)) throw new InternalError(`the value '${name}' is defined twice`);
    defined.add(name);
  };
  for (const input of graph.input) {
    checkTyped('input', input);
    define(input.name);
  }
  for (const { name } of graph.initializer) define(name);
  const nodeNames = new Set<string>();
  for (const { name, opType, input, output, attribute } of graph.node) {
    if (nodeNames.has(name)) throw new InternalError(`two nodes are named '${name}'`);
    nodeNames.add(name);
    for (const value of input) {
      if (value !== '' && !defined.has(value))
        throw new InternalError(`${opType} '${name}' reads '${value}', which nothing before it defines`);
    }
    if (output.length === 0) throw new InternalError(`${opType} '${name}' has no output`);
    for (const value of output) define(value);
    const attributes = new Set<string>();
    for (const each of attribute) {
      if (attributes.has(each.name)) throw new InternalError(`'${name}' has two attributes '${each.name}'`);
      attributes.add(each.name);
      checkAttribute(name, each);
    }
  }
  const outputs = new Set<string>();
  for (const output of graph.output) {
    checkTyped('output', output);
    if (!defined.has(output.name)) throw new InternalError(`nothing defines the output '${output.name}'`);
    if (outputs.has(output.name)) throw new InternalError(`two outputs are named '${output.name}'`);
    outputs.add(output.name);
  }
}

/**
 * Throws an InternalError unless every value is defined once and before it is used, names are unique, inputs and
 * outputs are typed, attributes carry only the field of their type, and every operator set used is imported.
 */
export function checkModel(model: ModelProto): void {
  if (model.graph === undefined) throw new InternalError('the model has no graph');
  const domains = new Set(model.opsetImport.map(({ domain }) => domain));
  for (const { domain, opType } of model.graph.node) {
    if (!domains.has(domain)) throw new InternalError(`${opType} is of '${domain}', which is not imported`);
  }
  checkGraph(model.graph);
}
