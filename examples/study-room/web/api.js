// The JSON API. Every failure is an ApiError whose message is a sentence for people.

const PATIENCE = 20_000; // milliseconds until a request counts as lost

/**
 * What the server said no with: `status` (0: it was not reached), `code`, `field` of the form, `retryAfter` in seconds, and
 * `others`, what is wrong with other fields.
 */
export class ApiError extends Error {
  constructor(status, { code, message, field, retryAfter, others = [] }) {
    super(message);
    Object.assign(this, { status, code, field, retryAfter, others });
  }
}

export const signUp = (name, password) => request("POST", "/signup", { name, password });
export const logIn = (name, password) => request("POST", "/login", { name, password });
export const logOut = () => request("POST", "/logout", {});
export const logOutEverywhere = () => request("POST", "/logout-everywhere", {});
export const refresh = () => request("POST", "/refresh", {});
export const logins = () => request("GET", "/logins");
export const endLogin = (id) => request("DELETE", `/logins/${encodeURIComponent(id)}`);
export const bans = () => request("GET", "/bans");
export const ban = (user) => request("POST", "/bans", { user });
export const liftBan = (user) => request("DELETE", `/bans/${encodeURIComponent(user)}`);
export const me = () => request("GET", "/me");
export const rooms = () => request("GET", "/rooms");
export const createRoom = (name, subject) => request("POST", "/rooms", { name, subject });
export const room = (id) => request("GET", `/rooms/${encodeURIComponent(id)}`);
export const messagesBefore = (id, before) => request("GET", `/rooms/${encodeURIComponent(id)}/messages?before=${before}`);
export const unread = (after) => request("GET", `/notifications${after === undefined ? "" : `?after=${encodeURIComponent(after)}`}`);
export const acknowledge = (which) => request("POST", "/notifications/acknowledge", which);
export const direct = (id) => request("GET", `/direct/${encodeURIComponent(id)}`);
export const directBefore = (id, before) => request("GET", `/direct/${encodeURIComponent(id)}?before=${before}`);

/** Whether the cookie is good; undefined where the server does not say. */
export async function isLoggedIn() {
  try {
    await me();
    return true;
  } catch (error) {
    return error.status === 401 ? false : undefined;
  }
}

async function request(method, path, body) {
  const { response, text } = await exchange(method, path, body);
  const answer = parsed(text);
  if (response.ok) return answer;
  throw new ApiError(response.status, {
    code: answer.code ?? "failed",
    message: answer.message ?? `The server answered with ${response.status}. Try again in a moment.`,
    field: answer.field,
    others: answer.others,
    retryAfter: Number(response.headers.get("retry-after") ?? 0),
  });
}

async function exchange(method, path, body) {
  try {
    const response = await fetch(`/api${path}`, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      // What a click on a link asks for outlives the page that the link leaves.
      keepalive: body !== undefined,
      signal: AbortSignal.timeout(PATIENCE),
    });
    return { response, text: await response.text() };
  } catch {
    throw new ApiError(0, { code: "offline", message: "The server cannot be reached. Try again in a moment." });
  }
}

/** Empty where it is not our server's JSON (a proxy's page, say): then the status has to do. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
