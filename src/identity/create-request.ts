import type { Advice } from '../errors.ts';
import type { Fields, ProviderCustomer } from '../providers/provider.ts';
import type { Changed } from './difference.ts';
import type { IntentData } from './intent.ts';

export interface CreateRequest {
  readonly externalId: string | undefined;
  /** The document to send; the provider's `overwriteField` is added if it overwrites a customer. */
  readonly document: Fields;
  /** The part of the document that describes the customer and by which two creates are compared. */
  readonly fields: Fields;
  /** Create even if a similar customer exists. */
  readonly allowDuplicate: boolean;
  /**
   * Overwrite an existing customer (the provider's `overwriteField`). Receives the customer right before the send, and returns whether
   * the write would change it. An error that it throws ends the create, and nothing is sent.
   */
  readonly overwrite?: (existing: ProviderCustomer) => boolean;
  /**
   * Send a lost create again. Receives the record of that create; an error that it throws ends this create, and nothing is
   * sent.
   */
  readonly resend?: (lost: IntentData) => void;
}

export interface CreateAnswer {
  readonly outcome: 'created' | 'updated' | 'existing';
  readonly customer: ProviderCustomer | undefined;
  /** The provider's document; what is known of it if `customer` is missing. */
  readonly document: Fields;
  /** The changes of an existing customer. */
  readonly changed?: Changed;
  readonly warnings: readonly Advice[];
}
