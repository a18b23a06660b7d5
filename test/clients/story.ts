// A library goes through the script: `node test/clients/story.ts FOLDER TARGET`. The last line of stdout is its row as JSON.
import { setTimeout as pause } from 'node:timers/promises';
import { isRecord } from '../../src/text.ts';
import { parsed } from '../support/process.ts';
import {
  confirmation,
  CREATE,
  created,
  customerId,
  deletion,
  explained,
  failed,
  filledIn,
  IMPORT,
  imported,
  isDeleted,
  listed,
  MISTAKE,
  shown,
  type Call,
  type Cells,
  type Step,
} from './script.ts';
import { endOf } from './wire.ts';

/** What `client.js` in the client's folder makes of a connection. `call` returns or throws what its user gets of an answer. */
interface Connected {
  tools(): Promise<string[]>;
  call(tool: string, args: object, onProgress: () => void): Promise<unknown>;
  close(): Promise<unknown>;
}

const PATIENCE_MS = 20_000;
const [folder = '', target = ''] = process.argv.slice(2);
const said = parsed(target);
const given = isRecord(said) ? said : {};
const cells: Cells = {};
let questions = 0;
let agrees = false;
let reports = 0;

async function step(name: Step, run: () => Promise<string>): Promise<void> {
  const late = pause(PATIENCE_MS, failed(`nothing within ${PATIENCE_MS / 1000} s`));
  cells[name] = await Promise.race([run().catch((error: unknown) => failed(shown(error))), late]);
}

function answer(question: unknown): object {
  questions += 1;
  return agrees ? filledIn(question) : { action: 'decline' };
}

const { open }: { readonly open: (target: object) => Promise<Connected> } = await import(`./${folder}/client.js`);

async function connected(client: Connected): Promise<void> {
  const call = ({ tool, args }: Call): Promise<string> =>
    client.call(tool, args, () => (reports += 1)).then(shown, (error: unknown) => `thrown: ${shown(error)}`);
  let id = '';
  await step('list', async () => listed(await client.tools()));
  await step('call', async () => {
    const text = await call(CREATE);
    id = customerId(text);
    return created(text);
  });
  await step('error', async () => explained(await call(MISTAKE)));
  await step('consent', async () => {
    const refused = await call(deletion(id));
    if (!refused.includes('confirmation_required')) return failed(refused);
    const asks = questions > 0;
    agrees = true;
    const text = await call(deletion(id, asks ? undefined : confirmation(refused)));
    return isDeleted(text) ? (asks ? 'asks the user' : 'two steps') : failed(`${refused} ${text}`);
  });
  await step('import', async () => {
    reports = 0;
    return imported(await call(IMPORT), reports > 0);
  });
  await step('close', async () => {
    await client.close();
    // While this process still runs, so that it is the client that has ended the server.
    return typeof given['tap'] === 'string' ? endOf(given['tap']) : 'yes';
  });
}

const opened: { client?: Connected } = {};
await step('connect', async () => {
  opened.client = await open({ ...given, answer });
  return 'yes';
});
if (opened.client) await connected(opened.client);
process.stdout.write(`\n${JSON.stringify(cells)}\n`);
process.exit();
