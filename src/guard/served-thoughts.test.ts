import { afterEach, expect, it } from 'vitest';
import { cleanUp, faulty, json } from '../engines/faulty-server.test-util.js';
import { Guard } from './guard.js';
import { profileNamed } from './profiles/index.js';

afterEach(cleanUp);

const PIXELS = { width: 28, height: 28, data: new Uint8Array(3 * 28 * 28) };
const THOUGHT = 'A knife lies there; that is not safe.';

it.each([
  ['safe-unsafe', 'unsafe', 'unsafe', 'unsafe'],
  ['yes-no', 'No', 'safe', 'No'],
  ['llama-guard', 'unsafe\nS1', 'unsafe', 'unsafe\nS1'],
  ['card', 'Final judgment: Unsafe', 'unsafe', 'Final judgment: Unsafe'],
  ['paper', '<answer>no</answer>', 'unsafe', `<think>${THOUGHT}</think><answer>no</answer>`],
  ['policyshift', 'true | 01', 'unsafe', `<think>${THOUGHT}</think>true | 01`],
])(
  'a thought that a server keeps apart leaves the answer of %s readable',
  async (name, content, label, raw) => {
    const message = { content, reasoning_content: THOUGHT };
    const { engine } = await faulty([json(200, { choices: [{ message, finish_reason: 'stop' }] })]);
    const verdict = await new Guard(engine, profileNamed(name)).judge(PIXELS, 'No weapons.');
    expect(verdict).toMatchObject({ label, raw });
    expect(verdict.reasoning).toContain(name === 'card' ? '' : THOUGHT);
  },
);
