// Writes the parts of other files that repeat the program: npm run settings. Every list of variables comes from the tables of
// variables, every list of tools and prompts from the servers, and every list of providers from the registry.
import { readFileSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';
import { build } from 'rolldown';
import { choicesOf, factsOf, settingGroups } from '../src/cli/setting-groups.ts';
import { providers } from '../src/providers/registry.ts';
import type { Variable } from '../src/settings.ts';
import { isRecord } from '../src/text.ts';
import { offered } from './offered.ts';
import { program } from './rolldown.config.ts';

const ROOT = new URL('../', import.meta.url);
const TITLES = providers.map(({ title }) => title);
const ANY_PROVIDER = new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(TITLES);
const ALL_PROVIDERS = new Intl.ListFormat('en-GB').format(TITLES);
const PACKAGE_SUMMARY = `Customer tools for AI agents on ${ALL_PROVIDERS}: no duplicates, no lost customers, and a sandbox that needs no account`;
const SUMMARY = `Create and maintain customers in ${ANY_PROVIDER} without duplicates or losses`;
const LONG_DESCRIPTION = [
  `Lets your assistant find, create, change and archive the customers of your invoicing system: ${ANY_PROVIDER}. It never creates a customer twice and never overwrites fields that you didn't mention.`,
  `It starts in a sandbox: a simulated ${providers[0].title} on your computer that needs no account and changes nothing real. To use your own account, choose the provider, fill in its fields below and turn the sandbox off.`,
  "It sends requests only to the provider that you choose, and passes the provider's answers to your assistant. A file on your computer stores which of your IDs belongs to which customer. Except in the sandbox, it contains no customer data.",
].join('\n\n');
const KEYWORDS = ['customers', 'crm', 'invoicing', 'accounting', 'onboarding'];
/** A form starts with the sandbox of the first provider, so that it works before it is filled in. */
const FORM_DEFAULTS: Readonly<Record<string, string | boolean>> = {
  CUSTOMERS_SANDBOX: true,
  CUSTOMERS_PROVIDER: providers[0].name,
};
/** Read by Node itself, to make the second start faster. */
const NODE_VARIABLES = { NODE_COMPILE_CACHE: '${__dirname}/compiled' };
/** Words with a special spelling. */
const WORDS: Readonly<Record<string, string>> = { api: 'API', id: 'ID', ms: '(ms)', url: 'URL' };

/** A field of a desktop host's form. */
interface Field {
  readonly variable: Variable;
  readonly key: string;
  readonly title: string;
  readonly description: string;
  readonly type: 'string' | 'number' | 'boolean';
  readonly fallback: string | number | boolean | undefined;
}

/** The content of each generated file. Needs the built server. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const fields = formFields();
  const env = {
    ...NODE_VARIABLES,
    ...Object.fromEntries(fields.map(({ variable, key }) => [variable.name, `\${user_config.${key}}`])),
  };
  const form = Object.fromEntries(fields.map((field) => [field.key, formField(field)]));
  const manifest = replaced(readJson('manifest.json'), ['server', 'mcp_config', 'env'], env);
  const server = replaced(
    readJson('server.json'),
    ['packages', '0', 'environmentVariables'],
    fields.map(serverVariable),
  );
  const { tools, prompts } = await offered();
  const listing = {
    description: SUMMARY,
    long_description: LONG_DESCRIPTION,
    tools,
    prompts,
    keywords: [...KEYWORDS, ...providers.map(({ name }) => name)],
    privacy_policies: providers.flatMap(({ privacyPolicy }) => privacyPolicy ?? []),
    user_config: form,
  };
  const text = sections(readText('README.md'), {
    providers: ANY_PROVIDER,
    tools: toolTable(tools),
    settings: settingTable(),
  });
  const packageJson = replaced(readJson('package.json'), ['description'], PACKAGE_SUMMARY);
  return new Map([
    ['README.md', text],
    ['manifest.json', await formatted(Object.assign({}, manifest, listing))],
    ['server.json', await formatted(replaced(server, ['description'], SUMMARY))],
    ['package.json', `${JSON.stringify(packageJson, undefined, 2)}\n`],
  ]);
}

function readText(file: string): string {
  return readFileSync(new URL(file, ROOT), 'utf8');
}

function readJson(file: string): unknown {
  return JSON.parse(readText(file));
}

function formatted(value: unknown): Promise<string> {
  return format(JSON.stringify(value, undefined, 2), { parser: 'json', printWidth: 120 });
}

/** A JSON value with the part at a path replaced; the order of keys stays. */
function replaced(value: unknown, [key, ...rest]: readonly string[], part: unknown): unknown {
  if (key === undefined) return part;
  if (Array.isArray(value)) return value.map((one, index) => (String(index) === key ? replaced(one, rest, part) : one));
  if (!isRecord(value)) throw new Error(`There is no ${key}.`);
  return { ...value, [key]: replaced(value[key], rest, part) };
}

/** A page with each of its generated sections, which comments enclose. */
function sections(page: string, contents: Readonly<Record<string, string>>): string {
  return Object.entries(contents).reduce((text, [name, content]) => {
    const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
    const [before, rest] = text.split(begin);
    const [, after] = rest?.split(end) ?? [];
    if (before === undefined || after === undefined) throw new Error(`README.md has no ${begin} and ${end}.`);
    return `${before}${begin}${content}${end}${after}`;
  }, page);
}

function toolTable(tools: readonly { readonly name: string; readonly description: string }[]): string {
  // A title is followed by what only that provider does.
  const titles = new RegExp(`(^|\\s)(${TITLES.join('|')}): `, 'g');
  const emphasized = (text: string): string =>
    text.replace(titles, (_, before, title) => `${before && '<br>'}**${title}:** `);
  const rows = tools.map(({ name, description }) => `| \`${name}\` | ${emphasized(description)} |`);
  return `\n| Tool | What it does |\n|---|---|\n${rows.join('\n')}\n`;
}

function settingTable(): string {
  const rows = settingGroups.flatMap(({ title, variables }) => [
    `| **${title}** | |`,
    ...variables.map((variable) => {
      const facts = factsOf(variable, (value) => `\`${value}\``);
      return `| \`${variable.name}\` | ${[variable.meaning, ...facts].join(' ')} |`;
    }),
  ]);
  return `\n| Variable | Meaning |\n|---|---|\n${rows.join('\n')}\n`;
}

function formField({ variable, title, description, type, fallback }: Field) {
  const { secret, min, max } = variable;
  return {
    type,
    title,
    description,
    ...(secret && { sensitive: true }),
    ...(fallback !== undefined && { default: fallback }),
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
  };
}

function serverVariable({ variable, description, type, fallback }: Field) {
  return {
    name: variable.name,
    description,
    format: type,
    ...(variable.secret && { isSecret: true }),
    ...(fallback !== undefined && { default: String(fallback) }),
    ...(variable.choices && { choices: variable.choices }),
  };
}

/**
 * The fields of a form, rare ones last. Without those for HTTP, because a desktop host uses stdio, and without those of the
 * machine, which an empty field would unset.
 */
function formFields(): readonly Field[] {
  const [general, ...others] = settingGroups.filter(({ scope }) => scope === 'server' || scope === 'provider');
  const own = general?.variables.map((variable) => fieldFor(variable)) ?? [];
  const [sandbox, provider, ...rest] = own;
  const ofProviders = others.flatMap(({ title, variables }) => variables.map((variable) => fieldFor(variable, title)));
  const all = [sandbox, provider, ...ofProviders, ...rest].flatMap((field) => field ?? []);
  const isRare = ({ variable }: Field): boolean => variable.rare === true;
  return [...all.filter((field) => !isRare(field)), ...all.filter(isRare)];
}

function fieldFor(variable: Variable, provider?: string): Field {
  const { name, meaning } = variable;
  const fallback = FORM_DEFAULTS[name] ?? variable.fallback;
  const key = name.replace(/^CUSTOMERS_/, '').toLowerCase();
  const words = key.split('_').map((word) => WORDS[word] ?? word);
  const [first = '', ...rest] = words;
  return {
    variable,
    key,
    title: [provider ?? `${first[0]?.toUpperCase()}${first.slice(1)}`, ...rest].join(' '),
    description: [
      ...(provider === undefined ? [] : [`Only for ${provider}.`]),
      meaning,
      ...(typeof fallback === 'boolean' ? [] : choicesOf(variable)),
    ].join(' '),
    type: typeof fallback === 'number' ? 'number' : typeof fallback === 'boolean' ? 'boolean' : 'string',
    fallback,
  };
}

if (import.meta.main) {
  await build({ ...program('dist'), logLevel: 'silent' });
  for (const [file, text] of await generatedFiles()) writeFileSync(new URL(file, ROOT), text);
}
