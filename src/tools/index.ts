import type { Provider } from '../providers/provider.ts';
import { archiveCustomer } from './archive-customer.ts';
import { createCustomer } from './create-customer.ts';
import { getCustomer } from './get-customer.ts';
import { importCustomers } from './import-customers.ts';
import { linkCustomer } from './link-customer.ts';
import { mergeCustomers } from './merge-customers.ts';
import { restoreCustomer } from './restore-customer.ts';
import { searchCustomer } from './search-customer.ts';
import type { Operation, Tool } from './tool.ts';
import { updateCustomer } from './update-customer.ts';

/** Every operation by its tool's name, in the order of tools/list. */
const operations: Readonly<Record<string, Operation>> = {
  search_customer: searchCustomer,
  get_customer: getCustomer,
  create_customer: createCustomer,
  update_customer: updateCustomer,
  archive_customer: archiveCustomer,
  restore_customer: restoreCustomer,
  merge_customers: mergeCustomers,
  link_customer: linkCustomer,
  import_customers: importCustomers,
};

/** The names of all tools of all providers. */
export const toolNames: readonly string[] = Object.keys(operations);

/** The tools of a provider. `readOnly` overrides `only`. */
export function toolsFor(
  provider: Provider,
  { readOnly, only }: { readonly readOnly: boolean; readonly only: readonly string[] | undefined },
): readonly Tool[] {
  return Object.values(operations)
    .flatMap((operation) => operation(provider) ?? [])
    .filter((tool) => !readOnly || tool.hints.readOnlyHint)
    .filter((tool) => only === undefined || only.includes(tool.name));
}
