import { accountKey } from '../account.ts';
import type { ProviderDefinition } from '../provider.ts';
import { DayZero } from './adapter.ts';
import { dayzeroSandbox, handleDayZero } from './sandbox.ts';

const HOST = 'https://api.ondayzero.com';

export const dayzero: ProviderDefinition = {
  name: 'dayzero',
  title: 'DayZero',
  variables: ['DAYZERO_API_TOKEN', 'DAYZERO_BUSINESS_ID', 'DAYZERO_USER_EMAIL', 'DAYZERO_BASE_URL'],

  configure(settings) {
    const baseUrl = settings.url('DAYZERO_BASE_URL', HOST, '/api/v1');
    const apiToken = settings.header('DAYZERO_API_TOKEN', settings.required('DAYZERO_API_TOKEN'));
    const businessId = settings.header('DAYZERO_BUSINESS_ID', settings.required('DAYZERO_BUSINESS_ID'));
    const userEmail = settings.header('DAYZERO_USER_EMAIL', settings.optional('DAYZERO_USER_EMAIL')) || undefined;
    return () =>
      new DayZero({
        baseUrl,
        apiToken,
        businessId,
        userEmail,
        account: () => accountKey(baseUrl, businessId),
        credentials: 'DAYZERO_API_TOKEN and DAYZERO_BUSINESS_ID',
      });
  },

  sandbox: {
    handle: handleDayZero,
    connect: (origin) =>
      new DayZero({
        baseUrl: origin,
        ...dayzeroSandbox,
        userEmail: undefined,
        account: () => 'sandbox',
        credentials: 'the sandbox',
      }),
  },
};
