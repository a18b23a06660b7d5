/** Countries and languages by their names in English, Dutch, German, French, Spanish, Italian and their own language. */

const ISO3 =
  'AFAFG ALALB DZDZA ASASM ADAND AOAGO AIAIA AGATG ARARG AMARM AWABW AUAUS ATAUT AZAZE BSBHS BHBHR BDBGD BBBRB BYBLR BEBEL BZBLZ BJBEN BMBMU BTBTN BOBOL BQBES BABIH BWBWA BRBRA BNBRN BGBGR BFBFA BIBDI KHKHM CMCMR CACAN CVCPV KYCYM CFCAF TDTCD CLCHL CNCHN COCOL KMCOM CGCOG CDCOD CKCOK CRCRI CICIV HRHRV CUCUB CWCUW CYCYP CZCZE DKDNK DJDJI DMDMA DODOM ECECU EGEGY SVSLV GQGNQ ERERI EEEST SZSWZ ETETH FKFLK FOFRO FJFJI FIFIN FRFRA GFGUF PFPYF GAGAB GMGMB GEGEO DEDEU GHGHA GIGIB GRGRC GLGRL GDGRD GPGLP GUGUM GTGTM GGGGY GNGIN GWGNB GYGUY HTHTI VAVAT HNHND HKHKG HUHUN ISISL ININD IDIDN IRIRN IQIRQ IEIRL IMIMN ILISR ITITA JMJAM JPJPN JEJEY JOJOR KZKAZ KEKEN KIKIR KPPRK KRKOR KWKWT KGKGZ LALAO LVLVA LBLBN LSLSO LRLBR LYLBY LILIE LTLTU LULUX MOMAC MGMDG MWMWI MYMYS MVMDV MLMLI MTMLT MHMHL MQMTQ MRMRT MUMUS YTMYT MXMEX FMFSM MDMDA MCMCO MNMNG MEMNE MSMSR MAMAR MZMOZ MMMMR NANAM NRNRU NPNPL NLNLD NCNCL NZNZL NINIC NENER NGNGA NUNIU MKMKD MPMNP NONOR OMOMN PKPAK PWPLW PSPSE PAPAN PGPNG PYPRY PEPER PHPHL PLPOL PTPRT PRPRI QAQAT REREU ROROU RURUS RWRWA BLBLM SHSHN KNKNA LCLCA MFMAF PMSPM VCVCT WSWSM SMSMR STSTP SASAU SNSEN RSSRB SCSYC SLSLE SGSGP SXSXM SKSVK SISVN SBSLB SOSOM ZAZAF SSSSD ESESP LKLKA SDSDN SRSUR SESWE CHCHE SYSYR TWTWN TJTJK TZTZA THTHA TLTLS TGTGO TKTKL TOTON TTTTO TNTUN TRTUR TMTKM TCTCA TVTUV UGUGA UAUKR AEARE GBGBR USUSA UYURY UZUZB VUVUT VEVEN VNVNM VGVGB VIVIR WFWLF EHESH YEYEM ZMZMB ZWZWE XKXKX';

const SPOKEN = ['en', 'nl', 'de', 'fr', 'es', 'it'];
/** Further spellings. */
const SPELLINGS: Readonly<Record<string, string>> = {
  NL: 'holland|the netherlands|nederlanden|nederland nl|ned',
  BE: 'belgie|belgique',
  GB: 'uk|great britain|england|scotland|wales|northern ireland|engeland|schotland|groot-brittannie|grossbritannien|verenigd koninkrijk',
  US: 'usa|u.s.a.|u.s.|united states of america|verenigde staten van amerika|america|amerika|vs|v.s.',
  DE: 'brd|bundesrepublik deutschland|d',
  AT: 'a|oesterreich',
  CH: 'schweiz/suisse|suisse|zwitserland',
  CZ: 'czech republic|tsjechische republiek|tschechische republik',
  IE: 'republic of ireland|eire',
  AE: 'uae|v.a.e.',
  LU: 'l',
};

const LANGUAGES =
  'nl en de fr es it pt da sv nb no nn fi pl cs sk sl hr hu ro bg el tr ru uk ar he zh ja ko et lv lt is ga mt ca fy lb'.split(
    ' ',
  );

let countries: ReadonlyMap<string, string> | undefined;
let languages: ReadonlyMap<string, string> | undefined;

/** The two-letter code of a country, or `undefined` if the text names none. */
export function countryCode(text: string): string | undefined {
  countries ??= makeCountries();
  return countries.get(plain(text)) ?? countries.get(plain(text.replace(/\(.*?\)/g, '')));
}

/** The code of a language (`nl`), from a code, a locale (`nl-NL`) or a name; `undefined` if the text names none. */
export function languageCode(text: string): string | undefined {
  languages ??= makeLanguages();
  return (
    languages.get(plain(text)) ??
    languages.get(plain(text.replace(/\(.*?\)/g, ''))) ??
    languages.get(plain(text.split(/[-_]/)[0] ?? ''))
  );
}

function makeCountries(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const pair of ISO3.split(' ')) {
    const code = pair.slice(0, 2);
    found.set(plain(code), code).set(plain(pair.slice(2)), code);
    for (const locale of [...SPOKEN, code.toLowerCase()]) addName(found, locale, { type: 'region', code });
  }
  for (const [code, names] of Object.entries(SPELLINGS))
    for (const name of names.split('|')) found.set(plain(name), code);
  return found;
}

function makeLanguages(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const code of LANGUAGES) {
    found.set(code, code);
    for (const locale of [...SPOKEN, code]) addName(found, locale, { type: 'language', code });
  }
  for (const [text, code] of [
    ['nld', 'nl'],
    ['dut', 'nl'],
    ['eng', 'en'],
    ['deu', 'de'],
    ['ger', 'de'],
    ['fra', 'fr'],
    ['fre', 'fr'],
    ['vlaams', 'nl'],
    ['flemish', 'nl'],
  ] as const)
    found.set(text, code);
  return found;
}

interface Named {
  readonly type: 'region' | 'language';
  readonly code: string;
}

function addName(found: Map<string, string>, locale: string, { type, code }: Named): void {
  try {
    const name = new Intl.DisplayNames([locale], { type, fallback: 'none' }).of(code);
    if (name !== undefined && !found.has(plain(name))) found.set(plain(name), code);
  } catch {
    // Not every code of a country is also a code of a language.
  }
}

function plain(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll('ß', 'ss')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}
