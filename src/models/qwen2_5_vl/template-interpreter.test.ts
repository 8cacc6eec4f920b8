import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../util/errors.js';
import { ChatTemplate } from './chat-template.js';
import { parseTemplate, renderTemplate } from './template-interpreter.js';

interface Golden {
  readonly template: string;
  readonly text: string;
}

/** Templates with what Jinja2 3.1.6 makes of them, set up as transformers does; `messages` are those below. */
const GOLDENS = JSON.parse(
  readFileSync(new URL('../../../test/goldens/jinja.json', import.meta.url), 'utf8'),
) as readonly Golden[];
const CHAT = [
  { role: 'user', content: '  hi ' },
  { role: 'assistant', content: 'yo' },
];

describe('a template gives what Jinja2 gives', () => {
  it.each(GOLDENS)('$template', ({ template, text }) => {
    expect(renderTemplate(parseTemplate(template), { messages: CHAT })).toBe(text);
  });

  it.each(['\r\n', '\r'])('with line breaks written as %j', (lineBreak) => {
    const source =
      "{% for m in messages %}\n  {% if m.role == 'user' %}\nQ: {{ m.content }}\n{% endif %}\n{% endfor %}\nend\n";
    const render = (text: string): string => new ChatTemplate(text).render(CHAT, {});
    expect(render(source.replaceAll('\n', lineBreak))).toBe(render(source));
  });

  it('keeps the line breaks of the messages', () => {
    const render = new ChatTemplate('{{ messages[0].content }}');
    expect(render.render([{ role: 'user', content: 'a\r\nb\rc' }])).toBe('a\r\nb\rc');
  });

  it('refuses a break that no loop is around', () => {
    const template = new ChatTemplate(
      '{% macro f() %}{% break %}{% endmacro %}{% for i in [1] %}{{ f() }}{% endfor %}',
    );
    expect(() => template.render([])).toThrow(/cannot render .*'break' outside of a loop/);
  });
});

const many = '{% for a in range(1000) %}';
const ends = (count: number): string => '{% endfor %}'.repeat(count);
const start = "{% set ns = namespace(s='xxxxxxxx', a=[1]) %}{% for i in range(60) %}";

describe('a template ends, whatever it does', () => {
  it.each([
    ['a long range', '{% for i in range(1000000000) %}x{% endfor %}'],
    ['a range that does not move', '{{ range(2**53, 2**53 + 10) | list }}'],
    ['nested loops', `${many.repeat(4)}x${ends(4)}`],
    ['nested loops over nothing', `${many.repeat(2)}{% for i in range(60000) %}${ends(3)}`],
    ['a text that doubles', `${start}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}`],
    ['a text that doubles by +', `${start}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}`],
    ['a list that doubles', `${start}{% set ns.a = ns.a + ns.a %}{% endfor %}{{ ns.a }}`],
    ['a list that holds itself twice', `${start}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}`],
    ['the same as JSON', `${start}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a | tojson }}`],
    ['the same joined', `${start}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a | join('') }}`],
    ['what holds itself', '{% set ns = namespace(a=1) %}{% set ns.a = [ns, ns] %}{{ ns.a }}'],
    ['a replacement that grows', `${start}{% set ns.s = ns.s.replace('x', ns.s) %}{% endfor %}{{ ns.s }}`],
    ['the same by a filter', `${start}{% set ns.s = ns.s | replace('x', ns.s) %}{% endfor %}{{ ns.s }}`],
    [
      'the same by another name',
      `${start}{% set f = ns.s.replace %}{% set ns.s = f('x', ns.s) %}{% endfor %}`,
    ],
    ['a wide indent', "{{ 'a\\nb' | indent(10**9) }}"],
    ['a wide indent of JSON', '{{ [1, [2]] | tojson(indent=10**9) }}'],
    ['a long separator', '{{ range(60000) | join(messages[0].content) }}'],
    ['a macro that calls itself', '{% macro f(x) %}{{ f(x) }}{{ f(x) }}{% endmacro %}{{ f(1) }}'],
    ['copies of a long text', `${many.repeat(2)}{% set q = messages[0].content | upper %}${ends(2)}`],
    ['sorting again and again', `${many}{{ range(60000) | list | reverse | sort | length }}${ends(1)}`],
    ['deep parentheses', `{{ ${'('.repeat(100_000)}1${')'.repeat(100_000)} }}`],
    ['deep conditions', '{% if 1 %}'.repeat(50_000) + '{% endif %}'.repeat(50_000)],
    ['a source of spaces', `{{${' '.repeat(900_000)}1 }}`],
  ])(
    '%s',
    (_, source) => {
      const messages = [{ role: 'user', content: 'hello '.repeat(10_000) }];
      expect(() => new ChatTemplate(source).render(messages)).toThrow(UserError);
    },
    120_000,
  );
});
