// The command-line hosts: how each is told of the server and of the model, and how it is run without a person.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The server as a client reaches it. */
export interface Target {
  readonly stdio?: {
    readonly command: string;
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  };
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Host {
  readonly name: string;
  readonly folder: string;
  readonly package: string;
  /** Below the package. */
  readonly program: string;
  /** Writes the settings; `home` is the host's home and its working directory. */
  configure(home: string, target: Target, model: string): void;
  /** Connects and reports, where the host has a command for it. */
  readonly list?: { readonly args: readonly string[]; readonly connected: RegExp };
  /** Runs one prompt, with the tools of the server allowed. */
  readonly prompt: readonly string[];
  environment(model: string): Readonly<Record<string, string>>;
}

export const hosts: readonly Host[] = [
  {
    name: 'Claude Code',
    folder: 'claude-code',
    package: '@anthropic-ai/claude-code-linux-x64',
    program: 'claude',
    configure(home, target) {
      const entry = target.stdio ?? { type: 'http', url: target.url, headers: target.headers };
      write(home, '.claude.json', { mcpServers: { customers: entry } });
    },
    list: { args: ['mcp', 'list'], connected: /customers: .*✔ Connected/ },
    prompt: ['-p', 'go', '--allowedTools', 'mcp__customers'],
    environment: (model) => ({
      ANTHROPIC_BASE_URL: model,
      ANTHROPIC_API_KEY: 'none',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      // Otherwise the model has to search for tools first.
      ENABLE_TOOL_SEARCH: 'false',
    }),
  },
  {
    name: 'Gemini CLI',
    folder: 'gemini-cli',
    package: '@google/gemini-cli',
    program: 'bundle/gemini.js',
    configure(home, target) {
      const entry = target.stdio ?? { httpUrl: target.url, headers: target.headers };
      write(home, '.gemini/settings.json', {
        security: { auth: { selectedType: 'gemini-api-key' } },
        mcpServers: { customers: { ...entry, trust: true } },
      });
    },
    list: { args: ['mcp', 'list'], connected: /customers: .* Connected/ },
    prompt: ['-m', 'gemini-2.5-flash', '-y', '-p', 'go'],
    environment: (model) => ({
      GOOGLE_GEMINI_BASE_URL: model,
      GEMINI_API_KEY: 'none',
      GEMINI_CLI_TRUST_WORKSPACE: 'true',
    }),
  },
  {
    name: 'Codex',
    folder: 'codex',
    package: '@openai/codex',
    program: 'vendor/x86_64-unknown-linux-musl/bin/codex',
    configure(home, { stdio, url, headers }, model) {
      const entry = stdio
        ? [`command = ${json(stdio.command)}`, `args = ${json(stdio.args)}`, `env = ${table(stdio.env)}`]
        : [`url = ${json(url)}`, `http_headers = ${table(headers ?? {})}`];
      const provider = [`name = "script"`, `base_url = ${json(`${model}/v1`)}`, `wire_api = "responses"`];
      const lines = [`model = "script"`, `model_provider = "script"`, `[model_providers.script]`, ...provider];
      write(home, '.codex/config.toml', [...lines, '[mcp_servers.customers]', ...entry, ''].join('\n'));
    },
    prompt: ['exec', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox', 'go'],
    environment: () => ({}),
  },
  {
    name: 'opencode',
    folder: 'opencode',
    package: 'opencode-linux-x64',
    program: 'bin/opencode',
    configure(home, { stdio, url, headers }, model) {
      const entry = stdio
        ? { type: 'local', command: [stdio.command, ...stdio.args], environment: stdio.env }
        : { type: 'remote', url, headers };
      const script = {
        npm: '@ai-sdk/openai-compatible',
        options: { baseURL: `${model}/v1`, apiKey: 'none' },
        models: { script: { tool_call: true } },
      };
      write(home, 'opencode.json', { model: 'script/script', provider: { script }, mcp: { customers: entry } });
    },
    list: { args: ['mcp', 'list'], connected: /✓ customers/ },
    prompt: ['run', 'go'],
    environment: () => ({}),
  },
];

function write(home: string, path: string, content: string | object): void {
  const file = join(home, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : json(content));
}

function json(value: unknown): string {
  return JSON.stringify(value);
}

/** An inline table of TOML. */
function table(values: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(values).map(([name, value]) => `${json(name)} = ${json(value)}`);
  return `{ ${pairs.join(', ')} }`;
}
