import { accountNames } from '../account.ts';
import type { Variable } from '../../settings.ts';
import type { ProviderDefinition } from '../provider.ts';
import { DayZero } from './adapter.ts';
import { dayzeroSandbox, handleDayZero } from './sandbox.ts';

const HOST = 'https://api.ondayzero.com';

const variables = {
  apiToken: {
    name: 'DAYZERO_API_TOKEN',
    meaning: 'The API token from your DayZero settings.',
    required: true,
    secret: true,
    header: true,
  },
  businessId: {
    name: 'DAYZERO_BUSINESS_ID',
    meaning: 'The ID of the business that the customers belong to.',
    required: true,
    header: true,
  },
  userEmail: {
    name: 'DAYZERO_USER_EMAIL',
    meaning: 'Optional: the user to whom the audit trail attributes changes.',
    header: true,
  },
  baseUrl: {
    name: 'DAYZERO_BASE_URL',
    meaning: "An address to use instead of DayZero's own, such as that of a proxy: https, or http on this machine.",
    rare: true,
  },
} as const satisfies Readonly<Record<string, Variable>>;

export const dayzero: ProviderDefinition = {
  name: 'dayzero',
  title: 'DayZero',
  privacyPolicy: 'https://www.ondayzero.com/privacy',
  variables: Object.values(variables),

  configure(settings, account) {
    const baseUrl = settings.url(variables.baseUrl, HOST, '/api/v1');
    const apiToken = settings.required(variables.apiToken);
    const businessId = settings.required(variables.businessId);
    const userEmail = settings.optional(variables.userEmail);
    return (proxies) =>
      new DayZero({
        baseUrl,
        proxies,
        apiToken,
        businessId,
        userEmail,
        ...accountNames({ host: HOST, baseUrl, business: businessId, name: account }),
        credentials: `${variables.apiToken.name} and ${variables.businessId.name}`,
        address: variables.baseUrl.name,
      });
  },

  sandbox: {
    handle: handleDayZero,
    connect: (origin, account) =>
      new DayZero({
        baseUrl: origin,
        ...dayzeroSandbox,
        userEmail: undefined,
        account: () => account,
        credentials: 'the sandbox',
        address: 'the sandbox',
      }),
  },
};
