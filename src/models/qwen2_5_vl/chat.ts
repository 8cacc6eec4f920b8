import type { RgbImage } from '../../images/image.js';

/** One piece of a message: words, or a picture that stands at this place among them. */
export type ContentPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image: RgbImage };

/** One turn of a chat, in transformers' shape. */
export interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string | readonly ContentPart[];
}
