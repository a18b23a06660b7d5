import { accountKey } from '../account.ts';
import type { ProviderDefinition } from '../provider.ts';
import { Layer } from './adapter.ts';
import { handleLayer, layerSandbox } from './sandbox.ts';
import { ClientCredentialTokens, fixedToken } from './tokens.ts';

// Hosts and scopes: https://docs.layerfi.com/api-details/authentication
const HOSTS = { sandbox: 'https://sandbox.layerfi.com', production: 'https://api.layerfi.com' } as const;
const SCOPES = {
  sandbox: 'https://sandbox.layerfi.com/sandbox',
  production: 'https://api.layerfi.com/production',
} as const;
const TOKEN_URL = 'https://auth.layerfi.com/oauth2/token';
const OR_TOKEN = ' (or LAYER_ACCESS_TOKEN in place of id and secret)';

export const layer: ProviderDefinition = {
  name: 'layer',
  title: 'Layer',
  variables: [
    'LAYER_CLIENT_ID',
    'LAYER_CLIENT_SECRET',
    'LAYER_ACCESS_TOKEN',
    'LAYER_BUSINESS_ID',
    'LAYER_ENVIRONMENT',
    'LAYER_BASE_URL',
    'LAYER_TOKEN_URL',
  ],

  configure(settings) {
    const environment = settings.choice('LAYER_ENVIRONMENT', ['sandbox', 'production'], 'sandbox');
    const baseUrl = settings.url('LAYER_BASE_URL', HOSTS[environment], '/v1');
    const tokenUrl = settings.url('LAYER_TOKEN_URL', TOKEN_URL);
    const businessId = settings.required('LAYER_BUSINESS_ID');
    if (['.', '..'].includes(businessId)) settings.problem('LAYER_BUSINESS_ID is not the id of a business.');
    const accessToken = settings.header('LAYER_ACCESS_TOKEN', settings.optional('LAYER_ACCESS_TOKEN')) || undefined;
    const clientId = accessToken === undefined ? settings.required('LAYER_CLIENT_ID', OR_TOKEN) : '';
    const clientSecret = accessToken === undefined ? settings.required('LAYER_CLIENT_SECRET', OR_TOKEN) : '';
    return () =>
      new Layer({
        baseUrl,
        businessId,
        account: () => accountKey(baseUrl, businessId),
        secrets: [clientSecret, accessToken ?? ''],
        tokens:
          accessToken === undefined
            ? new ClientCredentialTokens({ clientId, clientSecret, scope: SCOPES[environment], tokenUrl })
            : fixedToken(accessToken),
        credentials:
          accessToken === undefined
            ? 'LAYER_CLIENT_ID, LAYER_CLIENT_SECRET and LAYER_BUSINESS_ID'
            : 'LAYER_ACCESS_TOKEN and LAYER_BUSINESS_ID',
      });
  },

  sandbox: {
    handle: handleLayer,
    connect(origin) {
      const { businessId, ...credentials } = layerSandbox;
      return new Layer({
        baseUrl: origin,
        businessId,
        account: () => 'sandbox',
        tokens: new ClientCredentialTokens({
          ...credentials,
          scope: SCOPES.sandbox,
          tokenUrl: `${origin}/oauth2/token`,
        }),
        credentials: 'the sandbox',
        secrets: [],
      });
    },
  },
};
