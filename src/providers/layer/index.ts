import { accountNames } from '../account.ts';
import type { Variable } from '../../settings.ts';
import type { ProviderDefinition } from '../provider.ts';
import { Layer } from './adapter.ts';
import { handleLayer, layerSandbox } from './sandbox.ts';
import { businessTokens } from './business-tokens.ts';
import { basicCredentials, clientCredentialTokens } from './client-credentials.ts';
import { fixedToken } from './tokens.ts';

// Hosts and scopes: https://docs.layerfi.com/api-details/authentication
const HOSTS = { sandbox: 'https://sandbox.layerfi.com', production: 'https://api.layerfi.com' } as const;
const SCOPES = {
  sandbox: 'https://sandbox.layerfi.com/sandbox',
  production: 'https://api.layerfi.com/production',
} as const;
const TOKEN_URL = 'https://auth.layerfi.com/oauth2/token';

const variables = {
  businessId: {
    name: 'LAYER_BUSINESS_ID',
    meaning: 'The ID of the business that the customers belong to.',
    required: true,
  },
  clientId: {
    name: 'LAYER_CLIENT_ID',
    meaning: 'The client ID of your API credentials.',
    required: true,
    or: 'LAYER_ACCESS_TOKEN',
  },
  clientSecret: {
    name: 'LAYER_CLIENT_SECRET',
    meaning: 'The client secret of your API credentials.',
    required: true,
    or: 'LAYER_ACCESS_TOKEN',
    secret: true,
  },
  accessToken: {
    name: 'LAYER_ACCESS_TOKEN',
    meaning: 'An access token to use instead of client ID and client secret.',
    secret: true,
    header: true,
  },
  businessToken: {
    name: 'LAYER_BUSINESS_TOKEN',
    meaning:
      'Access customers with a token that Layer limits to your business. It is made with your credentials and renewed.',
    fallback: false,
    rare: true,
  },
  environment: {
    name: 'LAYER_ENVIRONMENT',
    meaning: "sandbox is Layer's own test environment, production the real one.",
    choices: ['sandbox', 'production'],
    choicesNamed: true,
    fallback: 'sandbox',
  },
  baseUrl: {
    name: 'LAYER_BASE_URL',
    meaning: "An address to use instead of Layer's own, such as that of a proxy: https, or http on this machine.",
    rare: true,
  },
  tokenUrl: {
    name: 'LAYER_TOKEN_URL',
    meaning: "An address to use instead of Layer's token endpoint: https, or http on this machine.",
    rare: true,
  },
} as const satisfies Readonly<Record<string, Variable>>;

export const layer: ProviderDefinition = {
  name: 'layer',
  title: 'Layer',
  variables: Object.values(variables),

  configure(settings, account) {
    const environment = settings.choice(variables.environment);
    const baseUrl = settings.url(variables.baseUrl, HOSTS[environment], '/v1');
    const tokenUrl = settings.url(variables.tokenUrl, TOKEN_URL);
    const businessId = settings.required(variables.businessId);
    if (['.', '..'].includes(businessId)) settings.problem(`${variables.businessId.name} is not a valid business ID.`);
    const accessToken = settings.optional(variables.accessToken);
    const clientId = accessToken === undefined ? settings.required(variables.clientId) : '';
    const clientSecret = accessToken === undefined ? settings.required(variables.clientSecret) : '';
    const perBusiness = settings.flag(variables.businessToken);
    const own =
      accessToken === undefined ? [variables.clientId.name, variables.clientSecret.name] : [variables.accessToken.name];
    const named = [...own, ...(perBusiness ? [variables.businessToken.name] : [])].join(', ');
    const credentials = `${named} and ${variables.businessId.name}`;
    const address = `${variables.baseUrl.name} and ${variables.environment.name}`;
    const secrets =
      accessToken === undefined ? [clientSecret, basicCredentials(clientId, clientSecret)] : [accessToken];
    return (proxies) => {
      const connection = { baseUrl, proxies, businessId, credentials, address, secrets };
      const tokens =
        accessToken === undefined
          ? clientCredentialTokens({ clientId, clientSecret, scope: SCOPES[environment], tokenUrl, proxies, variables })
          : fixedToken(accessToken);
      return new Layer({
        ...connection,
        ...accountNames({ host: HOSTS[environment], baseUrl, business: businessId, name: account }),
        tokens: perBusiness ? businessTokens({ ...connection, account: tokens, variables }) : tokens,
      });
    };
  },

  sandbox: {
    handle: handleLayer,
    connect(origin, account) {
      const { businessId, ...credentials } = layerSandbox;
      return new Layer({
        baseUrl: origin,
        businessId,
        account: () => account,
        tokens: clientCredentialTokens({
          ...credentials,
          scope: SCOPES.sandbox,
          tokenUrl: `${origin}/oauth2/token`,
          variables,
        }),
        credentials: 'the sandbox',
        address: 'the sandbox',
        secrets: [],
      });
    },
  },
};
