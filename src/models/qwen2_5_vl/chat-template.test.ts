import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../../util/errors.js';
import { ChatTemplate, type TemplateMessage } from './chat-template.js';

const GOLDENS = 'test/goldens/checkpoints';
interface Golden {
  readonly messages: TemplateMessage[];
  readonly add_generation_prompt: boolean;
  readonly add_vision_id: boolean;
  readonly text: string;
}
const goldens: Golden[] = JSON.parse(readFileSync(`${GOLDENS}/tied/template.json`, 'utf8'));

describe('ChatTemplate', () => {
  it.each(['tied', 'tied-resaved'])('renders as transformers does (%s)', (name) => {
    const template = ChatTemplate.load(`${GOLDENS}/${name}`);
    for (const { messages, add_generation_prompt, add_vision_id, text } of goldens) {
      const options = { addGenerationPrompt: add_generation_prompt, addVisionId: add_vision_id };
      expect(template.render(messages, options)).toBe(text);
    }
  });

  it('neither opens an answer nor numbers images unless asked', () => {
    const template = ChatTemplate.load(`${GOLDENS}/tied`);
    const messages = [{ role: 'user', content: [{ type: 'image' }] }];
    expect(template.render(messages)).toMatch(
      /user\n<\|vision_start\|><\|image_pad\|><\|vision_end\|><\|im_end\|>\n$/,
    );
  });

  it('tells the sentence of a template that refuses', () => {
    const template = new ChatTemplate("{{ raise_exception('only one system message') }}");
    expect(() => template.render([])).toThrow(UserError);
    expect(() => template.render([])).toThrow(/cannot render these messages .*only one system message/);
  });

  it('refuses a template that does not parse', () => {
    expect(() => new ChatTemplate('{% if %}')).toThrow(/chat template cannot be parsed/);
    expect(() => new ChatTemplate('{% for x in y %}')).toThrow(UserError);
  });

  it('offers the named tokens to the template', () => {
    expect(new ChatTemplate('{{ eos_token }}', { eos_token: '</s>' }).render([])).toBe('</s>');
  });
});

describe('ChatTemplate.load', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'template-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const write = (name: string, value: unknown): void => {
    writeFileSync(join(scratch, name), typeof value === 'string' ? value : JSON.stringify(value));
  };

  it('takes the newest place first, and says when there is none', () => {
    expect(() => ChatTemplate.load(scratch)).toThrow(/has no chat template: add chat_template\.jinja/);
    write('tokenizer_config.json', {
      eos_token: { content: '<end>' },
      chat_template: [
        { name: 'tools', template: 'tools' },
        { name: 'default', template: 'config {{ eos_token }}' },
      ],
    });
    expect(ChatTemplate.load(scratch).render([])).toBe('config <end>');
    write('chat_template.json', { chat_template: 'json' });
    expect(ChatTemplate.load(scratch).render([])).toBe('json');
    write('chat_template.jinja', 'jinja');
    expect(ChatTemplate.load(scratch).render([])).toBe('jinja');
  });

  it.each<[string, unknown, RegExp]>([
    ['a number as the template', { chat_template: 3 }, /has no chat template/],
    ['no JSON', '{', /chat_template\.json is not JSON/],
    ['a list', '[]', /chat_template\.json must hold a JSON object/],
  ])('refuses %s', (_, value, message) => {
    rmSync(join(scratch, 'chat_template.jinja'), { force: true });
    write('chat_template.json', value);
    expect(() => ChatTemplate.load(scratch)).toThrow(UserError);
    expect(() => ChatTemplate.load(scratch)).toThrow(message);
  });
});
