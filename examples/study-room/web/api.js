// The JSON API.

/** What the server said no with: `status`, `code`, `message`, and `field` where a form's field is wrong. */
export class ApiError extends Error {
  constructor(status, { code, message, field }) {
    super(message);
    Object.assign(this, { status, code, field });
  }
}

async function request(method, path, body) {
  let response;
  try {
    response = await fetch(`/api${path}`, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
    });
  } catch {
    throw new ApiError(0, { code: "offline", message: "The server cannot be reached. Try again in a moment." });
  }
  const text = await response.text();
  let answer = {};
  try {
    if (text !== "") answer = JSON.parse(text);
  } catch {
    // Not our server's answer (a proxy's page, say): the status has to do.
  }
  if (!response.ok) {
    throw new ApiError(response.status, {
      code: answer.code ?? "failed",
      message: answer.message ?? `The server answered with ${response.status}. Try again in a moment.`,
      field: answer.field,
    });
  }
  return answer;
}

export const signUp = (name, password) => request("POST", "/signup", { name, password });
export const logIn = (name, password) => request("POST", "/login", { name, password });
export const logOut = () => request("POST", "/logout", {});
export const me = () => request("GET", "/me");
export const rooms = () => request("GET", "/rooms");
export const createRoom = (name, subject) => request("POST", "/rooms", { name, subject });
export const room = (id) => request("GET", `/rooms/${encodeURIComponent(id)}`);
export const messagesBefore = (id, before) => request("GET", `/rooms/${encodeURIComponent(id)}/messages?before=${before}`);

/** Whether the cookie is good; undefined where the server does not say. */
export async function isLoggedIn() {
  try {
    await me();
    return true;
  } catch (error) {
    return error.status === 401 ? false : undefined;
  }
}
