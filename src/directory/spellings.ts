import { abbreviate, mergeParticles } from './customer-index.ts';

/** Words between a name and a place. */
const PREPOSITIONS = new Set(['in', 'at', 'from', 'te', 'uit', 'aus', 'bij', 'bei']);

/** The words, and what else they may mean. */
export function variantsOf(words: readonly string[]): (readonly string[])[] {
  const [first = '', ...others] = words;
  const variants = [
    // The customer's name may have particles written together with the next word.
    mergeParticles(words),
    abbreviate(words),
    [first, ...others.filter((word) => !PREPOSITIONS.has(word))],
  ];
  return [words, ...variants.filter((variant) => variant.length < words.length)];
}
