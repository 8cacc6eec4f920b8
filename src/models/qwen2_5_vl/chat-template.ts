import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type JsonObject, isJsonObject, readJsonObject } from '../../checkpoint/json.js';
import { readTextFile } from '../../checkpoint/read-file.js';
import { messageOf, UserError } from '../../util/errors.js';
import { type ParsedTemplate, parseTemplate, renderTemplate } from './template-interpreter.js';
import { readOptionalJsonObject } from './tokenizer.js';

/** A message as templates see it: a part of the content is any record with a `type`. */
export interface TemplateMessage {
  readonly role: string;
  readonly content: string | readonly Readonly<Record<string, unknown>>[];
}

export interface ChatTemplateOptions {
  /** End with the words that open the assistant's answer. Default false, as in transformers. */
  readonly addGenerationPrompt?: boolean;
  /** Number the images ("Picture 1: "). Default false. */
  readonly addVisionId?: boolean;
}

/** Tokens of tokenizer_config.json that templates may name. */
const NAMED_TOKENS = ['bos_token', 'eos_token', 'pad_token', 'unk_token'] as const;

/** A checkpoint's rule that makes one text of a chat, in Jinja as transformers reads it (trimmed blocks), with a budget. */
export class ChatTemplate {
  readonly #template: ParsedTemplate;

  /** `variables` are what the template may name besides the messages. Throws a UserError where the source does not parse. */
  constructor(
    readonly source: string,
    private readonly variables: Readonly<Record<string, string>> = {},
  ) {
    try {
      this.#template = parseTemplate(source);
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(
        `the chat template cannot be parsed (${messageOf(error)}); correct chat_template.json or chat_template.jinja`,
        { code: 'invalid_checkpoint', cause: error },
      );
    }
  }

  /**
   * Reads chat_template.jinja, else chat_template.json, else the template in tokenizer_config.json.
   * @throws UserError where there is none, or the file is damaged.
   */
  static load(folder: string): ChatTemplate {
    const config = readOptionalJsonObject(join(folder, 'tokenizer_config.json')) ?? {};
    return new ChatTemplate(readSource(folder, config), namedTokens(config));
  }

  /** The chat as one text. Throws a UserError where the template refuses the messages. */
  render(
    messages: readonly TemplateMessage[],
    { addGenerationPrompt = false, addVisionId = false }: ChatTemplateOptions = {},
  ): string {
    try {
      return renderTemplate(this.#template, {
        ...this.variables,
        messages,
        add_generation_prompt: addGenerationPrompt,
        add_vision_id: addVisionId,
      });
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(
        `the chat template cannot render these messages (${messageOf(error)}); check their roles and order`,
        { cause: error },
      );
    }
  }
}

/** transformers' order: its newest place first. */
function readSource(folder: string, config: JsonObject): string {
  const jinja = join(folder, 'chat_template.jinja');
  if (existsSync(jinja)) return readTextFile(jinja);
  const json = join(folder, 'chat_template.json');
  const found = existsSync(json) ? readJsonObject(json).chat_template : config.chat_template;
  const template = Array.isArray(found) ? defaultOf(found) : found;
  if (typeof template === 'string') return template;
  throw new UserError(
    `${folder} has no chat template: add chat_template.jinja or chat_template.json of its base model`,
  );
}

/** Older folders hold several templates by name. */
function defaultOf(templates: readonly unknown[]): unknown {
  return templates.find((item): item is JsonObject => isJsonObject(item) && item.name === 'default')
    ?.template;
}

function namedTokens(config: JsonObject): Record<string, string> {
  return Object.fromEntries(
    NAMED_TOKENS.flatMap((name) => {
      const token = tokenText(config[name]);
      return token === undefined ? [] : [[name, token] as const];
    }),
  );
}

/** A token of tokenizer_config.json: its text, or a record that holds it. */
export function tokenText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return isJsonObject(value) && typeof value.content === 'string' ? value.content : undefined;
}
