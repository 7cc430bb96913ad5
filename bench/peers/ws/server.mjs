// Fan-out by the package ws, for the benchmark: `node server.mjs PORT`. Each text message that arrives at /pub goes to every
// connection at /sub, in the loop over connections that the package's documentation shows.
import { WebSocket, WebSocketServer } from "ws";

const subscribers = new Set();
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096, perMessageDeflate: false });

server.on("connection", (socket, request) => {
  // A connection that fails is closed as well.
  socket.on("error", () => {});
  if (request.url === "/sub") {
    subscribers.add(socket);
    socket.on("close", () => subscribers.delete(socket));
  } else if (request.url === "/pub") {
    socket.on("message", (data, isBinary) => {
      for (const subscriber of subscribers) {
        if (subscriber.readyState === WebSocket.OPEN) subscriber.send(data, { binary: isBinary });
      }
    });
  } else {
    socket.close(1008, "neither /sub nor /pub");
  }
});
