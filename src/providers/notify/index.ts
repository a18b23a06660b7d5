import { accountKey } from '../account.ts';
import type { ProviderDefinition } from '../provider.ts';
import { Notify } from './adapter.ts';
import { handleNotify, notifySandbox } from './sandbox.ts';

const HOST = 'https://api.notify.cm';

export const notify: ProviderDefinition = {
  name: 'notify',
  title: 'Notify',
  variables: ['NOTIFY_API_KEY', 'NOTIFY_BASE_URL'],

  configure(settings) {
    const baseUrl = settings.url('NOTIFY_BASE_URL', HOST, '/v2');
    const apiKey = settings.header('NOTIFY_API_KEY', settings.required('NOTIFY_API_KEY'));
    // The key is the tenant: Notify has no other name for it.
    return () =>
      new Notify({ baseUrl, apiKey, account: () => accountKey(baseUrl, apiKey), credentials: 'NOTIFY_API_KEY' });
  },

  sandbox: {
    handle: handleNotify,
    connect: (origin) =>
      new Notify({ baseUrl: origin, ...notifySandbox, account: () => 'sandbox', credentials: 'the sandbox' }),
  },
};
