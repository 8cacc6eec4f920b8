import { describe, expect, it } from 'vitest';
import { notADescription } from './no-description.js';

describe('notADescription', () => {
  it.each([
    ['no', 'it is a bare verdict'],
    ['Yes.', 'it is a bare verdict'],
    ['**No**', 'it is a bare verdict'],
    ['yes\nyes', 'it is a bare verdict'],
    ['The image is safe.', 'it is a bare verdict'],
    ['Verdict: unsafe', 'it is a bare verdict'],
    ['N/A: none', 'it is a bare verdict'],
    ['…', 'it holds no word'],
    ['1, 2', 'it holds no word'],
    ['<think>A knife.</think><answer>no</answer>', "it is a guardrail's answer"],
    ['{"rating": "Safe", "category": "NA: None applying"}', "it is a guardrail's answer"],
    ['```json\n{"verdict": "unsafe"}\n```', "it is a guardrail's answer"],
    ['I’m sorry, but I can’t help with that.', 'it is a refusal'],
    ['I cannot describe this image.', 'it is a refusal'],
  ])('%j: %s', (text, reason) => {
    expect(notADescription(text)).toBe(reason);
  });

  it.each([
    'a knife',
    'An image of red 10.',
    'kitchen: knife',
    'No people are in the picture, only a safe with its door open.',
    'A sign that says "no".',
    'Not much: grey fog.',
    '一把刀放在桌上。',
    'A screenshot of {"name": "x"} in an editor.',
  ])('%j may be one', (text) => {
    expect(notADescription(text)).toBeNull();
  });
});
