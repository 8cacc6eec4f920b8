/** @module Jinja by @huggingface/jinja, with a budget for what a stranger's template does, and with loops that keep what they wrote. */
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { UserError } from '../../util/errors.js';
import { withinTime } from '../../util/time-limit.js';
import { TEMPLATE_LIMITS, TemplateBudget, type TemplateValue } from './template-budget.js';
import { pythonText } from './template-text.js';

export type ParsedTemplate = ReturnType<typeof parse>;

/** A node of a parsed template; which fields it has depends on its type. */
interface Node {
  readonly type: string;
  readonly body?: readonly Node[];
  readonly defaultBlock?: readonly Node[];
  readonly value?: unknown;
  readonly operator?: { readonly value: string };
  readonly left?: Node;
  readonly right?: Node;
  readonly callee?: Node;
  readonly args?: readonly Node[];
}

type Scope = Environment;
type Evaluated = readonly [args: TemplateValue[], keywords: Map<string, TemplateValue>];
type Method = (args: TemplateValue[], scope: Scope) => TemplateValue;

/** The library's interpreter by the steps that are watched here; it calls them on itself, so they can be put in its place. */
interface Steps {
  evaluate(node: Node | undefined, scope: Scope): TemplateValue;
  evaluateBlock(nodes: readonly Node[], scope: Scope): TemplateValue;
  evaluateArguments(args: readonly Node[], scope: Scope): Evaluated;
  applyFilter(operand: TemplateValue, filter: Node, scope: Scope): TemplateValue;
}

/** `break` or `continue` on its way to its loop, with what the blocks it left had written. */
class LoopControl extends Error {
  written = '';
  constructor(readonly kind: 'break' | 'continue') {
    super(`'${kind}' outside of a loop`);
  }
}

/** The loop that runs: once broken it writes nothing more. */
interface Loop {
  readonly body: readonly Node[] | undefined;
  broken: boolean;
  /** Rounds that ended before their end, and those that did not. */
  left: number;
  whole: number;
}

/** What writes nothing by itself; every other node in a block is an expression, whose value is printed. */
const STATEMENTS = new Set([
  'Set',
  'If',
  'For',
  'Macro',
  'CallStatement',
  'FilterStatement',
  'Comment',
  'Program',
]);
/** What a round of a loop costs besides its body: the library makes a scope and a record of nine fields for it. */
const STEPS_OF_A_ROUND = 10;
/** Operators that make text of both sides. */
const JOINING = new Set(['~', '+']);
/** Nodes whose value was there before. */
const LOOKING_UP = new Set(['Identifier', 'StringLiteral']);

/** Reads the source of a template; line breaks of every kind are `\n`, as Jinja reads them. Throws whatever the library does. */
export function parseTemplate(source: string): ParsedTemplate {
  return withinTime(TEMPLATE_LIMITS.milliseconds, 'reading the chat template', () =>
    // As transformers sets Jinja: the first line break after a block and the spaces before one are left out.
    parse(tokenize(source.replace(/\r\n?/g, '\n'), { lstrip_blocks: true, trim_blocks: true })),
  );
}

/**
 * The text that a template makes of its variables.
 * @throws UserError where it uses more than {@link TEMPLATE_LIMITS}; otherwise whatever the library throws.
 */
export function renderTemplate(
  template: ParsedTemplate,
  variables: Readonly<Record<string, unknown>>,
): string {
  const budget = new TemplateBudget();
  const scope = new Environment();
  const globals = { ...constants(), raise_exception, range: boundedRange(budget), strftime_now };
  for (const [name, value] of Object.entries({ ...globals, ...variables })) scope.set(name, value);
  const interpreter = new Interpreter(scope);
  watch(interpreter as unknown as Steps, budget);
  return withinTime(TEMPLATE_LIMITS.milliseconds, 'rendering the chat template', () =>
    String(interpreter.run(template).value),
  );
}

/** Puts counting steps in the place of the library's. */
function watch(steps: Steps, budget: TemplateBudget): void {
  const evaluate = steps.evaluate.bind(steps);
  const evaluateArguments = steps.evaluateArguments.bind(steps);
  const applyFilter = steps.applyFilter.bind(steps);
  const loops: Loop[] = [];
  const filters: { readonly operand: TemplateValue; readonly filter: Node }[] = [];
  /** Nodes whose values are added up, and those that become text by `~`; bodies of macros, which a `break` cannot leave. */
  const printed = new WeakSet<Node>();
  const joined = new WeakSet<Node>();
  const functions = new WeakSet<readonly Node[]>();
  const text = (value: string, scope: Scope): TemplateValue =>
    evaluate({ type: 'StringLiteral', value }, scope);

  const evaluateNode = (node: Node, scope: Scope): TemplateValue => {
    if (node.type === 'For') {
      const loop: Loop = { body: node.body, broken: false, left: 0, whole: 0 };
      loops.push(loop);
      let value: TemplateValue;
      try {
        value = evaluate(node, scope);
      } finally {
        loops.pop();
      }
      // Jinja's `else` of a loop is for loops of which no round came to its end, empty or not.
      if (loop.left === 0 || loop.whole > 0 || node.defaultBlock === undefined) return value;
      return text(pythonText(value) + pythonText(steps.evaluateBlock(node.defaultBlock, scope)), scope);
    }
    if (node.type === 'Break') throw new LoopControl('break');
    if (node.type === 'Continue') throw new LoopControl('continue');
    if ((node.type === 'Macro' || node.type === 'CallStatement') && node.body) functions.add(node.body);
    if (node.type === 'BinaryExpression' && JOINING.has(node.operator?.value ?? '')) {
      for (const side of [node.left, node.right]) {
        if (side) printed.add(side);
        if (side && node.operator?.value === '~') joined.add(side);
      }
    }
    try {
      return evaluate(node, scope);
    } catch (error) {
      // What a block that is set to a variable or filtered had written is dropped by Jinja too.
      if (error instanceof LoopControl && node.type !== 'If') error.written = '';
      throw error;
    }
  };

  steps.evaluate = (node, scope) => {
    budget.step();
    if (node === undefined) return evaluate(node, scope);
    const value = evaluateNode(node, scope);
    if (LOOKING_UP.has(node.type)) budget.see(value);
    else budget.make(value);
    if (printed.has(node)) budget.allowPrint(value);
    if (joined.has(node)) return text(pythonText(value), scope);
    return node.type === 'MemberExpression' && value.type === 'FunctionValue'
      ? watchedMethod(value, budget)
      : value;
  };

  steps.evaluateBlock = (nodes, scope) => {
    const loop = loops.at(-1);
    const isBody = loop?.body === nodes;
    if (isBody && loop.broken) return text('', scope);
    if (isBody) budget.step(STEPS_OF_A_ROUND);
    let written = '';
    try {
      for (const node of nodes) {
        const value = steps.evaluate(node, scope);
        written += printedValue(node, value, budget);
        budget.allowText(written.length);
      }
      if (isBody) loop.whole += 1;
    } catch (error) {
      if (!(error instanceof LoopControl)) throw error;
      if (functions.has(nodes)) throw new Error(error.message);
      error.written = written + error.written;
      if (!isBody) throw error;
      loop.broken = error.kind === 'break';
      loop.left += 1;
      written = error.written;
    }
    const value = text(written, scope);
    budget.make(value);
    return value;
  };

  steps.evaluateArguments = (args, scope) => {
    const evaluated = evaluateArguments(args, scope);
    const current = filters.at(-1);
    if (current?.filter.args === args) allowFilter(current.filter, current.operand, evaluated, budget);
    return evaluated;
  };

  steps.applyFilter = (operand, filter, scope) => {
    budget.allowPrint(operand);
    filters.push({ operand, filter });
    try {
      return applyFilter(asPython(operand, filter), filter, scope);
    } finally {
      filters.pop();
    }
  };
}

/** What a block writes of a node's value. */
function printedValue(node: Node, value: TemplateValue, budget: TemplateBudget): string {
  if (value.type === 'NullValue' && STATEMENTS.has(node.type)) return '';
  budget.allowPrint(value);
  return pythonText(value);
}

/** Lists whose items a filter makes text of, with Python's text in their place. */
function asPython(operand: TemplateValue, filter: Node): TemplateValue {
  const name = filter.callee?.value ?? filter.value;
  const { value } = operand;
  if (name !== 'join' || !Array.isArray(value)) return operand;
  const items = (value as TemplateValue[]).map((item) => ({ value: pythonText(item) }));
  return Object.create(operand, { value: { value: items, enumerable: true } }) as TemplateValue;
}

/** Filters that can make much of little, before they do. */
function allowFilter(
  filter: Node,
  operand: TemplateValue,
  [args, keywords]: Evaluated,
  budget: TemplateBudget,
): void {
  const given = (position: number, name: string): unknown => (args[position] ?? keywords.get(name))?.value;
  const lengthOf = (value: unknown): number => (typeof value === 'string' ? value.length : 0);
  const { nodes, depth } = budget.allowPrint(operand);
  const characters = Math.max(nodes, lengthOf(operand.value));
  switch (filter.callee?.value) {
    case 'join':
      return budget.allowText(characters * lengthOf(given(0, 'separator')));
    case 'indent':
      return budget.allowText((characters + 1) * Number(given(0, 'width') ?? 0));
    case 'replace':
      return allowReplace(args, budget);
    case 'tojson': {
      const separators = (keywords.get('separators')?.value ?? []) as readonly TemplateValue[];
      const longest = Math.max(0, ...[separators].flat().map(({ value }) => lengthOf(value)));
      return budget.allowText(nodes * (longest + (depth + 1) * Number(keywords.get('indent')?.value ?? 0)));
    }
    default:
  }
}

function allowReplace([search, replacement]: readonly TemplateValue[], budget: TemplateBudget): void {
  const texts = [search?.value, replacement?.value];
  if (texts.every((text) => typeof text === 'string'))
    budget.allowReplace(String(texts[0]), String(texts[1]));
}

/** A text's method that is looked at when it is called: of two texts, only `replace` is given. */
function watchedMethod(method: TemplateValue, budget: TemplateBudget): TemplateValue {
  const call = method.value as Method;
  const watched: Method = (args, scope) => {
    allowReplace(args, budget);
    return call(args, scope);
  };
  return Object.create(method, { value: { value: watched, enumerable: true } }) as TemplateValue;
}

const constants = (): Record<string, unknown> => ({
  false: false,
  true: true,
  none: null,
  False: false,
  True: true,
  None: null,
});

/** What transformers gives its templates to refuse a chat with. */
function raise_exception(message: string): never {
  throw new Error(message);
}

/** Python's `range` over whole numbers. */
function boundedRange(budget: TemplateBudget): (...bounds: unknown[]) => number[] {
  return (...bounds) => {
    const [first, second, step = 1] = bounds.filter((bound) => bound !== null) as number[];
    const [start, stop] = second === undefined ? [0, first] : [first, second];
    if (![start, stop, step].every(Number.isSafeInteger) || step === 0) {
      throw new Error(`range() takes whole numbers and a step that is not 0`);
    }
    const length = Math.max(0, Math.ceil((stop - start) / step));
    budget.allowItems(length);
    return Array.from({ length }, (_, i) => start + i * step);
  };
}

const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');
const pad = (number: number): string => String(number).padStart(2, '0');

/** The codes of Python's strftime that templates use, in the local time zone and in English. */
const DATE_CODES: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getFullYear()),
  y: (date) => pad(date.getFullYear() % 100),
  m: (date) => pad(date.getMonth() + 1),
  d: (date) => pad(date.getDate()),
  B: (date) => MONTHS[date.getMonth()],
  b: (date) => MONTHS[date.getMonth()].slice(0, 3),
  A: (date) => DAYS[date.getDay()],
  a: (date) => DAYS[date.getDay()].slice(0, 3),
  H: (date) => pad(date.getHours()),
  M: (date) => pad(date.getMinutes()),
  S: (date) => pad(date.getSeconds()),
  '%': () => '%',
};

/** What transformers gives its templates for the date. */
function strftime_now(format: string): string {
  const now = new Date();
  return format.replace(/%(.)/gu, (code, letter: string) => {
    if (!Object.hasOwn(DATE_CODES, letter)) {
      throw new UserError(`the chat template writes the date by ${code}, which is not understood here`);
    }
    return DATE_CODES[letter](now);
  });
}
