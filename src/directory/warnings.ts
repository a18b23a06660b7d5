/** The warning of a search in a list whose cursors lead back to an earlier page. */
export function circleWarning(title: string): string {
  return `${title}'s list leads back to an earlier page, so it ends there; there may be more customers.`;
}

/** The warning of a search that ended before the list did. */
export function unfinishedWarning(title: string): string {
  return `Not all ${title} customers could be searched within one call. Call again with the same arguments to continue.`;
}

/** The warning of a first page without the total number. */
export function uncountedWarning(title: string): string {
  return `Not all ${title} customers could be counted within one call. Call again with the same arguments to get total.`;
}
