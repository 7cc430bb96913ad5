// Fan-out by uWebSockets.js, for the benchmark: `node server.mjs PORT`. Each text message that arrives at /pub is published to
// the topic to which every connection at /sub belongs; the fan-out itself is the library's C++.
import uWS from "@trufflesuite/uws-js-unofficial";

const TOPIC = "bench";
// Octets. By default a subscriber that is 64 KiB behind misses messages without a word.
const BACKLOG = 1024 * 1024;
const settings = { compression: uWS.DISABLED, idleTimeout: 0, sendPingsAutomatically: false, maxBackpressure: BACKLOG, maxPayloadLength: BACKLOG };
const port = Number(process.argv[2]);

const app = uWS.App();
app.ws("/sub", { ...settings, open: (socket) => socket.subscribe(TOPIC) });
app.ws("/pub", { ...settings, message: (socket, message, isBinary) => app.publish(TOPIC, message, isBinary) });
app.listen("127.0.0.1", port, (listening) => {
  if (listening) return;
  console.error(`cannot listen on port ${port}`);
  process.exit(1);
});
