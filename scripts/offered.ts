import { connect } from '../test/support/client.ts';
import { kits } from '../test/support/providers.ts';

/** The variants of one text, by the title of the provider. */
type Said = ReadonlyMap<string, readonly string[]>;

/**
 * The tools and prompts of all providers for the manifest: each once, in words that are correct for every provider. They are
 * read from the built server.
 */
export async function offered() {
  const tools = new Map<string, Map<string, string[]>>();
  const prompts = new Map<string, { description: string; args: string[]; text: Map<string, string[]> }>();
  for (const { title, start } of kits) {
    const started = await start();
    const { client, close } = await connect(started.environment);
    const listed = (await client.listPrompts()).prompts;
    const [, externalId] = listed.find((one) => one.name === 'onboard_customer')?.arguments ?? [];
    const plain = (text: string): string =>
      text
        .replaceAll(`${title} customer`, 'customer')
        .replaceAll(title, 'the provider')
        .replaceAll(externalId?.name ?? '', 'external_id');
    for (const tool of (await client.listTools()).tools) {
      const said = tools.get(tool.name) ?? new Map<string, string[]>();
      tools.set(tool.name, said.set(title, plain(tool.description ?? '').split(/(?<=\.) /)));
    }
    for (const { name: prompt, description = '', arguments: args = [] } of listed) {
      const given = args.map((one) => [one.name, `\${arguments.${plain(one.name)}}`]);
      const { messages } = await client.getPrompt({ name: prompt, arguments: Object.fromEntries(given) });
      const [message] = messages;
      const text = message?.content.type === 'text' ? message.content.text : '';
      const said = prompts.get(prompt)?.text ?? new Map<string, string[]>();
      said.set(title, plain(text).split('\n'));
      prompts.set(prompt, { description: plain(description), args: args.map((one) => plain(one.name)), text: said });
    }
    await close();
    await started.standIn.close();
  }
  return {
    tools: [...tools].map(([name, said]) => ({ name, description: together(said).join(' ') })),
    prompts: [...prompts].map(([name, { description, args, text }]) => ({
      name,
      description,
      arguments: args,
      text: together(text).join('\n'),
    })),
  };
}

/** The sentences that all providers share, with those of individual providers inserted where they differ. */
function together(said: Said): string[] {
  const all = [...said.values()];
  const shared = (part: string): boolean => all.length === kits.length && all.every((parts) => parts.includes(part));
  const own = [...said].flatMap(([title, parts]) => {
    const rest = parts.filter((part) => !shared(part));
    const indent = /^ */.exec(rest[0] ?? '')?.[0] ?? '';
    return rest.length === 0 ? [] : [`${indent}${title}: ${rest.map((part) => part.trim()).join(' ')}`];
  });
  const [first = []] = all;
  const at = first.findIndex((part) => !shared(part));
  const common = first.filter(shared);
  return at < 0 ? [...common, ...own] : [...common.slice(0, at), ...own, ...common.slice(at)];
}
