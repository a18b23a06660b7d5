import { accountKey } from '../account.ts';
import type { Variable } from '../../settings.ts';
import type { ProviderDefinition } from '../provider.ts';
import { Notify } from './adapter.ts';
import { handleNotify, notifySandbox } from './sandbox.ts';

const HOST = 'https://api.notify.cm';

const variables = {
  apiKey: {
    name: 'NOTIFY_API_KEY',
    meaning: 'Your API key: test_... for tests, live_... for production.',
    required: true,
    secret: true,
    header: true,
  },
  baseUrl: {
    name: 'NOTIFY_BASE_URL',
    meaning: "An address to use instead of Notify's own, such as that of a proxy: https, or http on this machine.",
    rare: true,
  },
} as const satisfies Readonly<Record<string, Variable>>;

export const notify: ProviderDefinition = {
  name: 'notify',
  title: 'Notify',
  variables: Object.values(variables),

  configure(settings, account) {
    const baseUrl = settings.url(variables.baseUrl, HOST, '/v2');
    const apiKey = settings.required(variables.apiKey);
    // Notify identifies an account only by its key, which changes when it is regenerated.
    const byKey = accountKey(baseUrl, apiKey);
    const names =
      account === undefined ? { account: byKey } : { account: accountKey(account), formerAccounts: [byKey] };
    return (proxies) =>
      new Notify({
        baseUrl,
        proxies,
        apiKey,
        ...names,
        credentials: variables.apiKey.name,
        address: variables.baseUrl.name,
      });
  },

  sandbox: {
    handle: handleNotify,
    connect: (origin, account) =>
      new Notify({
        baseUrl: origin,
        ...notifySandbox,
        account: () => account,
        credentials: 'the sandbox',
        address: 'the sandbox',
      }),
  },
};
