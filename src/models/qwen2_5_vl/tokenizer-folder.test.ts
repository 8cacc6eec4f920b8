import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../../util/errors.js';
import { trainTokenizer } from './bpe-trainer.js';
import { ChatTemplate, type TemplateMessage } from './chat-template.js';
import { Tokenizer } from './tokenizer.js';
import {
  QWEN_CHAT_TEMPLATE,
  qwenAddedTokens,
  tokenizerConfigJson,
  tokenizerJson,
  writeTokenizerFolder,
} from './tokenizer-folder.js';

const GOLDENS = 'test/goldens/checkpoints/tied';
const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const scratch = mkdtempSync(join(tmpdir(), 'tokenizer-folder-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const text = 'No weapons. Weapons may be shown in a museum. [1] No beer. [12] Beer may be shown. ';
const trained = trainTokenizer([text, text], {
  vocabSize: 320,
  addedTokens: qwenAddedTokens(['[1]', '[12]']),
});

describe('QWEN_CHAT_TEMPLATE', () => {
  it('renders as Qwen2.5-VL’s own', () => {
    interface Golden {
      readonly messages: TemplateMessage[];
      readonly add_generation_prompt: boolean;
      readonly add_vision_id: boolean;
      readonly text: string;
    }
    const goldens: Golden[] = read(`${GOLDENS}/template.json`);
    const template = new ChatTemplate(QWEN_CHAT_TEMPLATE);
    for (const { messages, add_generation_prompt, add_vision_id, text } of goldens) {
      const options = { addGenerationPrompt: add_generation_prompt, addVisionId: add_vision_id };
      expect(template.render(messages, options)).toBe(text);
    }
  });

  it('renders an empty chat as Qwen2.5-VL’s own', () => {
    const own = ChatTemplate.load(GOLDENS);
    expect(new ChatTemplate(QWEN_CHAT_TEMPLATE).render([])).toBe(own.render([]));
  });
});

describe('tokenizer files', () => {
  it('have the structure of a published Qwen2.5-VL’s', () => {
    const golden = read(`${GOLDENS}/tokenizer.json`);
    const made = JSON.parse(JSON.stringify(tokenizerJson(trained)));
    for (const key of Object.keys(golden).filter((key) => !['added_tokens', 'model'].includes(key))) {
      expect(made[key]).toEqual(golden[key]);
    }
    const { vocab: _v, merges: _m, ...model } = golden.model;
    expect(made.model).toMatchObject(model);
    expect(Object.keys(made.added_tokens[0])).toEqual(Object.keys(golden.added_tokens[0]));

    const config = read(`${GOLDENS}/tokenizer_config.json`);
    const madeConfig = JSON.parse(JSON.stringify(tokenizerConfigJson(trained, config.model_max_length)));
    const { added_tokens_decoder, chat_template: _t, ...rest } = config;
    expect(madeConfig).toMatchObject(rest);
    expect(Object.values(madeConfig.added_tokens_decoder)[0]).toEqual(Object.values(added_tokens_decoder)[0]);
  });

  it('load again as a tokenizer and a template', async () => {
    const folder = join(scratch, 'deep', 'folder');
    await writeTokenizerFolder(folder, trained, { maxLength: 512 });
    const tokenizer = await Tokenizer.load(folder);
    expect(tokenizer.vocabSize).toBe(trained.vocab.length + trained.addedTokens.length);
    const ids = tokenizer.encode(text);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(text);
    expect(ids).toContain(tokenizer.id('[12]'));
    expect(tokenizer.id('<|endoftext|>')).toBe(trained.vocab.length);
    expect(ChatTemplate.load(folder).source).toBe(QWEN_CHAT_TEMPLATE);
    expect(read(join(folder, 'chat_template.json'))).toEqual({ chat_template: QWEN_CHAT_TEMPLATE });
  });

  it('say where they cannot be written', async () => {
    const file = join(scratch, 'file');
    writeFileSync(file, '');
    const writing = writeTokenizerFolder(file, trained, { maxLength: 512 });
    await expect(writing).rejects.toThrow(UserError);
    await expect(writing).rejects.toThrow(/tokenizer cannot be written to/);
  });
});
