/**
 * The words of headings in English, Dutch and German, each with its meaning. Compounds (`Kundennummer`, `factuuradres`) are split
 * into these.
 */
export type Word =
  // who or what
  | 'customer'
  | 'company'
  | 'contact'
  | 'person'
  | 'account'
  | 'record'
  | 'external'
  // parts of a name
  | 'name'
  | 'full'
  | 'first'
  | 'last'
  | 'middle'
  | 'infix'
  | 'initials'
  | 'legal'
  // identifiers
  | 'number'
  | 'id'
  | 'code'
  | 'reference'
  // contact details
  | 'email'
  | 'phone'
  | 'mobile'
  | 'fax'
  | 'website'
  // an address
  | 'address'
  | 'street'
  | 'house'
  | 'addition'
  | 'line'
  | 'postcode'
  | 'city'
  | 'region'
  | 'country'
  // the rest
  | 'language'
  | 'notes'
  | 'description'
  | 'registration'
  | 'tax'
  | 'taxcode'
  | 'status'
  | 'category'
  | 'tags'
  | 'active'
  // scopes
  | 'billing'
  | 'shipping'
  | 'postal'
  | 'visiting'
  | 'work'
  | 'home'
  | 'other'
  | 'main'
  // words without meaning; words of columns that fill no field
  | 'noise'
  | 'foreign';

const SPELLINGS: Readonly<Record<Word, string>> = {
  customer:
    'customer customers cust client clients klant klanten kunde kunden kd debiteur debiteuren debtor debtors debitor debitoren relatie relaties partner afnemer opdrachtgever auftraggeber',
  company:
    'company companies organization organisation organizations organisations organisatie organisaties bedrijf bedrijfs bedrijven firma firmen firm unternehmen unternehmens onderneming handelsnaam vennootschap gesellschaft employer',
  contact: 'contact contacts kontakt kontakte',
  person: 'person pers persoon people individual personen',
  account: 'account acct',
  record: 'record',
  external: 'external externe extern',
  name: 'name names nm naam namen bezeichnung benaming nom',
  full: 'full volledige vollstandiger voller display complete whole ganzer',
  first: 'first given voornaam voornamen vorname vornamen firstname forename fname roepnaam voorn vorn',
  last: 'last family surname achternaam nachname nachnamen familienaam familienname lastname zuname lname achtern nachn',
  middle: 'middle mi',
  infix: 'infix tussenvoegsel tussenvoegsels voorvoegsel voorvoegsels tussenv',
  initials: 'initials initialen voorletters voorlett voorl',
  legal: 'legal juridische statutaire registered',
  number: 'number no nr num nummer numbers',
  id: 'id ids identificatie identification identifier key uid guid uuid',
  code: 'code codes',
  reference: 'reference ref referentie referenz kenmerk kennung',
  email: 'email emails mail mails',
  phone: 'phone phones telephone telefoon telefon tel fon rufnummer festnetz landline telefoonnr ph',
  mobile: 'mobile mobiel mobil gsm cell cellphone handy mobieltje mob',
  fax: 'fax telefax faxnummer faxnr',
  website: 'website site url web homepage webseite webpage www internet domain',
  address: 'address adres adr adresse anschrift addr adressen addresses',
  street: 'street straat strasse str straatnaam',
  house: 'house huis haus hnr',
  addition: 'addition toevoeging zusatz adresszusatz toev suite apt apartment unit',
  line: 'line lines ln regel regels zeile',
  postcode: 'postcode postal_code postalcode pcode postc zip zipcode plz postleitzahl pc',
  city: 'city town plaats plaatsnaam woonplaats stad ort stadt gemeente locality wohnort vestigingsplaats woonpl suburb',
  region: 'region state province provincie regio county bundesland bundesl kanton',
  country: 'country countries ctry cntry land lander lkz nation',
  language: 'language taal sprache locale lang',
  notes:
    'note notes notitie notities opmerking opmerkingen opm memo remark remarks comment comments bemerkung bemerkungen bem notiz notizen anmerkung anmerkungen toelichting',
  description: 'description omschrijving beschreibung',
  registration:
    'identity reg kvk coc commerce registration handelsregister handelsregisternummer hrb ondernemingsnummer registrierung inschrijving inschrijvings kbo',
  tax: 'vat btw ust umsatzsteuer tax taxpayer gst mwst steuer omzetbelasting',
  taxcode: 'ustid ustidnr vatid tin abn',
  status: 'status',
  category: 'category categorie kategorie',
  tags: 'tag tags labels',
  active: 'active actief aktiv',
  billing:
    'billing bill invoice invoices invoicing factuur facturen facturatie rechnung rechnungs rechnungen fakturierung po',
  shipping:
    'shipping ship delivery deliveries verzend verzending aflever bezorg liefer lieferung versand levering lever sa warehouse',
  postal: 'postal mailing post correspondentie correspondence postadres',
  visiting: 'visiting bezoek physical besuchs besuch vestigings vestiging premises',
  work: 'work werk arbeit business zakelijk geschaftlich gesch office kantoor dienstlich dienstl buro',
  home: 'home private privat prive thuis personal personlich',
  other:
    'other andere ander overig overige weitere alt alternative alternate secondary second tweede zweite additional extra sonstige',
  main: 'main default primary hoofd haupt standaard standard preferred algemeen general algemene',
  noise:
    'vast fixed fest user the of your our and or und u en oder voor von fur for to in a an de der die das het do not modify value values adressattyp naturl page details info iso',
  foreign:
    'owner eigenaar besitzer inhaber holder rekening rekeninghouder rekeningnummer kontonummer kontoinhaber created creation modified changed updated gewijzigd aangemaakt erstellt geandert date datum dates time tijd zeit timestamp since sinds seit bank iban bic swift balance saldo credit krediet kredit limit limiet discount korting rabatt terms term betaal betaling betaaltermijn krediettermijn payment payments zahlung zahlungsziel zahlungsbedingung betalingsvoorwaarde betaalvoorwaarde type types soort art birthday birth geburtstag geburtsdatum geboortedatum verjaardag anniversary job title titel position positie functie funktion role roles rol department afdeling abteilung manager assistant spouse children hobby schools yomi phonetic photo image picture label open deals deal activities activity orders order spent spend total totals count amount bedrag betrag price prijs preis tracking sales purchases purchase receivable payable supplier suppliers leverancier leveranciers vendor lieferant lieferanten kreditor crediteur card currency currencycode valuta wahrung opt optin ip rating score lead leads lifecycle stage twitter facebook skype skypename linkedin instagram xing im imaddress gender geslacht geschlecht sex salutation aanhef anrede prefix suffix mr mrs ms rep resale ledger grootboek grootboekrekening visible visibility followers latitude longitude timezone checksum associated parent nickname nick alias pager telex tty isdn sms marketing accepts accept subscribed subscription newsletter password login attachments delinquent refunded dispute volume losses exempt taxable item items job_status projected start end theme branding skypename ddi callback radio yearly revenue employees industry branche sic owner_name search zoek zoeknaam such suchname verkorte short kurz kurzname sort sorteer sortering matchcode particulars lead_source campaign source bron quelle segment group groep gruppe pricelist prijslijst preisliste warehouse reminder reminders aanmaning aanmaningen mahnung mahnstufe blocked geblokkeerd gesperrt collection net method methode verzendmethode template sjabloon vorlage stripe sepa mandate mandaat mandat gebruiker benutzer password assigned referral affiliate points store storeid visits visit transaction transactions',
};

/** Words that are equal to two others. */
const DOUBLES: Readonly<Record<string, readonly [Word, Word]>> = {
  contactpersoon: ['contact', 'person'],
  contactpersonen: ['contact', 'person'],
  ansprechpartner: ['contact', 'person'],
  ansprechperson: ['contact', 'person'],
  ansprechp: ['contact', 'person'],
  kontaktperson: ['contact', 'person'],
  attn: ['contact', 'person'],
  attention: ['contact', 'person'],
  tav: ['contact', 'person'],
  konto: ['account', 'number'],
  kdnr: ['customer', 'number'],
  debnr: ['customer', 'number'],
  hsnr: ['house', 'number'],
};

/** Abbreviations that have their meaning only beside certain words. */
const ABBREVIATIONS: readonly (readonly [RegExp, string])[] = [
  [/\be[\s.-]*mail/g, 'email'],
  [/\bpostal[\s_-]*codes?\b/g, 'postcode'],
  [/\bpost[\s_-]codes?\b/g, 'postcode'],
  [/\bp\/code\b/g, 'postcode'],
  [/\bzip\s*\/\s*postal$|^postal\s*\/\s*zip\b/g, 'postcode'],
  [/\bt\.? ?a\.? ?v\b/g, 'tav'],
  [/\bz\. ?hd\b/g, 'tav'],
  [/\b(?:kl|deb|rel)\.?[\s-]*(?=(?:nr|no|code)\b)/g, 'klant '],
  [/\bhs\.?[\s-]*(?=nr\b)/g, 'huis '],
  [/\bbedr\.?\s*(?=naam|nm)/g, 'bedrijf '],
  [/\bco\.? (?=name|reg)/g, 'company '],
  [/\bland[\s-]*kz\b/g, 'land'],
  // Dutch mobile numbers begin with 06.
  [/\b06[\s-]*(?:nummer|nr)\b/g, 'mobiel'],
  [/\b(?:vor|voor|nach|achter)-? ?(?:und|en|&|\/)\s*(?:vor|voor|nach|achter)na(?:me|am)\b/g, 'first last'],
  [/\bna(?:me|am)\s*[,/]\s*(?:vorname|voornaam|vorn|voorn)\b/g, 'first last'],
  [/\b(?:vorname|voornaam)\s*[,/]?\s*(?:(?:und|en|&)\s+)?na(?:me|am)\b/g, 'first last'],
  [/\bbp\b|\bthird[\s_-]*part(?:y|ies)\b|\bgesch(?:a|ae)ftspartner\b/g, 'customer'],
  // Not a name that a person is called by.
  [/\b(?:user|login|screen)[\s_-]*names?\b/g, 'login'],
  [/#/g, ' number '],
];

const WORDS: ReadonlyMap<string, readonly Word[]> = new Map([
  ...Object.entries(SPELLINGS).flatMap(([word, spellings]) =>
    isWord(word) ? spellings.split(' ').map((spelling): [string, readonly Word[]] => [spelling, [word]]) : [],
  ),
  ...Object.entries(DOUBLES),
]);

function isWord(word: string): word is Word {
  return word in SPELLINGS;
}

/** Letters that join the parts of a compound: `bedrijf-s-naam`, `Kunde-n-nummer`. */
const JOINTS = ['', 's', 'n', 'en', 'e', 'es'];
const MIN_PART = 2;
const MIN_COMPOUND = 5;

export interface Heading {
  /** The known words in their order, without noise. */
  readonly words: readonly Word[];
  readonly unknown: readonly string[];
  /** The last number: `2` in `E-mail 2`. */
  readonly ordinal: number | undefined;
  /** The number before it, of a heading that has two: `1` in `Address 1: Street 2`. */
  readonly group: number | undefined;
}

/** Translates a heading into the words above. */
export function readHeading(heading: string): Heading {
  const words: Word[] = [];
  const unknown: string[] = [];
  const numbers: number[] = [];
  for (const part of split(heading)) {
    const known = WORDS.get(part) ?? compound(part);
    if (/^\d/.test(part)) numbers.push(Number(part));
    else if (known === undefined) unknown.push(part);
    else words.push(...known.filter((word) => word !== 'noise'));
  }
  return { words, unknown, ordinal: numbers.at(-1), group: numbers.at(-2) };
}

/** The words of a heading in lower case, without accents; `PhoneNumber`, `POCity` and `AddressLine1` are several words. */
function split(heading: string): readonly string[] {
  const plain = heading
    .replace(/\bKvK/gi, 'kvk ')
    .replace(/\b(EU-?)?USt\.?-?Id(Nr)?/gi, 'ustid ')
    .replace(/\bM\.I\.?/g, 'mi')
    .replace(/^A\/C\b/i, 'account number')
    .replace(/(\p{Lu}{2,})(nr|no)\b/gu, '$1 $2')
    .replace(/([\p{Ll}])([\p{Lu}])/gu, '$1 $2')
    .replace(/([\p{Lu}]+)([\p{Lu}][\p{Ll}])/gu, '$1 $2')
    .replace(/(\p{L})(\d)/gu, '$1 $2')
    .replace(/(\d)(\p{L})/gu, '$1 $2')
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll('ß', 'ss');
  const whole = ABBREVIATIONS.reduce((text, [short, long]) => text.replace(short, long), plain);
  return whole.match(/[a-z]+|\d+/g) ?? [];
}

/** Splits a long word into two or three known ones. */
function compound(part: string): readonly Word[] | undefined {
  if (part.length < MIN_COMPOUND) return undefined;
  for (let end = part.length - MIN_PART; end >= MIN_PART; end -= 1) {
    const first = WORDS.get(part.slice(0, end));
    if (first === undefined) continue;
    for (const joint of JOINTS) {
      const rest = part.slice(end);
      if (!rest.startsWith(joint)) continue;
      const tail = rest.slice(joint.length);
      const second = WORDS.get(tail);
      if (second !== undefined) return [...first, ...second];
      const more = compound(tail);
      if (more) return [...first, ...more];
    }
  }
  return undefined;
}
