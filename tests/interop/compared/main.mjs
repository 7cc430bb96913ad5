// What a broker does with @stomp/stompjs, unmodified, in one line of JSON for each scenario, `{"scenario": …, "observed": …}`:
// `BROKER_URL=ws://… node main.mjs`. Nothing is judged here: tests/rabbitmq compares what two brokers did.

import { acknowledgement } from "./acknowledgement.mjs";
import { bodiesAndHeaders } from "./bodies_and_headers.mjs";
import { consumers } from "./consumers.mjs";
import { faults } from "./faults.mjs";
import { receipts } from "./receipts.mjs";
import { transactions } from "./transactions.mjs";

const scenarios = { ...acknowledgement, ...consumers, ...transactions, ...receipts, ...bodiesAndHeaders, ...faults };
const only = process.argv[2];
const chosen = Object.entries(scenarios).filter(([name]) => !only || name.includes(only));

// Most of a scenario is waiting for what does not come. Each has destinations of its own, so all run at once; and each run,
// as queues keep what is left in them.
await Promise.all(chosen.map(async ([scenario, observe], number) => {
  const name = `scenario-${process.pid}-${number}`;
  const observed = await observe(`/queue/${name}`, `/topic/${name}`)
    .catch((error) => { throw new Error(`${scenario}: ${error.message}`, { cause: error }); });
  console.log(JSON.stringify({ scenario, observed }));
}));
// What a scenario has left open ends with this process.
process.exit(0);
