// Requests to the server, and how a page shows that one failed.

/** The largest body that the server takes, in bytes. */
const MAX_BODY = 20_000_000;

/** An error that the server reports, with a hint how to fix it. */
export class ApiError extends Error {
  constructor(message, hint, status) {
    super(message);
    this.hint = hint;
    this.status = status;
  }
}

async function toError(response) {
  try {
    const { error, hint } = await response.json();
    return new ApiError(error, hint, response.status);
  } catch {
    return new ApiError(`the server answers with status ${response.status}`, null, response.status);
  }
}

/**
 * Send a request and return the response.
 *
 * options.json: an object to send as JSON, by POST.
 * options.body: a file or blob to send, by POST.
 * options.signal: aborts the request.
 */
export async function request(path, { json, body, signal } = {}) {
  // The server closes the connection in the middle of a larger body, and the browser then cannot say why.
  if (body?.size > MAX_BODY) throw new ApiError("the file is larger than 20 MB", "choose a smaller one", 413);
  const content = json === undefined ? body : JSON.stringify(json);
  const options = content === undefined ? {} : { method: "POST", body: content };
  if (json !== undefined) options.headers = { "Content-Type": "application/json" };
  let response;
  try {
    response = await fetch(path, { ...options, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("the server does not answer", "start it again: sslreg browse", 0);
  }
  if (!response.ok) throw await toError(response);
  return response;
}

/** Send a request and return the JSON of its response. */
export async function requestJson(path, options) {
  return (await request(path, options)).json();
}

/**
 * Return a function like `requestJson` that aborts its previous request, because the new one replaces it.
 * The aborted call returns null.
 */
export function latestRequest() {
  let controller = null;
  return async (path, options = {}) => {
    controller?.abort();
    const own = (controller = new AbortController());
    try {
      const result = await requestJson(path, { ...options, signal: own.signal });
      return own.signal.aborted ? null : result;
    } catch (error) {
      if (own.signal.aborted) return null;
      throw error;
    }
  };
}

/** Show an error at the top of the page; null hides it. */
export function showError(error) {
  const place = document.getElementById("problem");
  place.hidden = error === null;
  place.textContent = error === null ? "" : error.hint ? `${error.message}\n${error.hint}` : error.message;
}
